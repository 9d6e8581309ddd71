// The values printed in tables 1 to 3 of the Medical SAM Adapter paper, as part of the program:
// jobs/paper/tables.csv, byte by byte (the assembler finds it from the top of the source tree).
#include "finetune/report.h"

__asm__(".section .rodata\n"
        ".global mg_paper_values\n"
        "mg_paper_values:\n"
        ".incbin \"jobs/paper/tables.csv\"\n"
        ".byte 0\n"
        ".previous\n");
