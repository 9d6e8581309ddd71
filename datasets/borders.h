// Dark borders of ultrasound pictures, and what lies beyond them: the strip of the instrument.
#ifndef MG_DATASETS_BORDERS_H
#define MG_DATASETS_BORDERS_H

#include "datasets/dataset.h"

// Cut a grey 8-bit picture and its label to what lies between the innermost dark lines near its four edges: rows and
// columns whose mean grey is below 5, the first in the upper 8 % and lower 27 % of the rows, the left 27 % and
// right 40 % of the columns (the winner's recipe of TN-SCUI). Everything beyond such a line goes, lit or not.
// Where that would cut into the label, or leave less than half of a side, the picture stays whole. So the label loses
// nothing, and a score on the crop is the score on the whole picture. The remark says what was cut.
mg_status mg_sample_cut_borders(mg_sample *sample);

#endif
