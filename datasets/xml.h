// XML documents as trees of elements (DDTI's case files). The one home of libxml2. Nothing outside of the text is
// ever opened: no network, no entities, and a document with a document type is refused.
#ifndef MG_DATASETS_XML_H
#define MG_DATASETS_XML_H

#include "runtime/err.h"

typedef struct mg_xml mg_xml;           // a document
typedef struct _xmlNode mg_xml_element; // of it; borrowed

// Parse one document, UTF-8 or else Latin-1 whatever it says of itself. `name` (a file name) goes into messages with
// the line. MG_ERR_FORMAT, MG_ERR_MEMORY; *out is then NULL. Thread-safe.
mg_status mg_xml_parse(const char *text, const char *name, mg_xml **out);
void mg_xml_free(mg_xml **xml);

const mg_xml_element *mg_xml_root(const mg_xml *xml);
const char *mg_xml_name(const mg_xml_element *element);
// The first child of this name, or the next sibling of this name; NULL if there is none, or for NULL.
const mg_xml_element *mg_xml_child(const mg_xml_element *parent, const char *name);
const mg_xml_element *mg_xml_next(const mg_xml_element *element, const char *name);

// All text inside, without white space at both ends; "" for NULL. mg_free; NULL without memory.
char *mg_xml_text(const mg_xml_element *element);

#endif
