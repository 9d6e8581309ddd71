// XML documents through libxml2; see xml.h. Its own limits stay on: 10 MB of text, 256 levels.
#include "datasets/xml.h"

#include <ctype.h>
#include <limits.h>
#include <pthread.h>
#include <string.h>

#include <libxml/parser.h>

#include "runtime/mem.h"

struct mg_xml {
    xmlDoc *doc;
};

static pthread_once_t started = PTHREAD_ONCE_INIT;

// Called where a document type begins, before anything of it is used.
static void refuse_type(void *ctx, const xmlChar *name, const xmlChar *id, const xmlChar *system)
{
    bool *refused = ((xmlParserCtxt *)ctx)->_private;
    (void)name, (void)id, (void)system;

    *refused = true;
    xmlStopParser(ctx);
}

// libxml2's messages end in a line feed.
static mg_status fail(xmlParserCtxt *ctxt, bool refused, const char *name)
{
    const xmlError *why = xmlCtxtGetLastError(ctxt);
    int length = why && why->message ? (int)strcspn(why->message, "\n") : 0;

    if (refused) return MG_FAIL(MG_ERR_FORMAT, "'%s' has a document type, which is refused", name);
    if (why && why->code == XML_ERR_NO_MEMORY)
        return MG_FAIL(MG_ERR_MEMORY, "no memory to parse '%s'", name);
    return MG_FAIL(MG_ERR_FORMAT, "'%s' is not valid XML at line %d: %.*s", name,
                   why ? why->line : 1, length ? length : 8, length ? why->message : "no reason");
}

mg_status mg_xml_parse(const char *text, const char *name, mg_xml **out)
{
    const int options = XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
                        XML_PARSE_NOCDATA | XML_PARSE_COMPACT;
    // Both are libxml2's own: an encoding named in a file would be looked for among the modules of the C library.
    const char *encoding = xmlCheckUTF8((const xmlChar *)text) ? "UTF-8" : "ISO-8859-1";
    size_t bytes = strlen(text);
    bool refused = false;

    *out = NULL;
    MG_CHECK(bytes <= INT_MAX, MG_ERR_FORMAT, "'%s' has %zu bytes, expected at most %d", name,
             bytes, INT_MAX);
    pthread_once(&started, xmlInitParser);
    xmlParserCtxt *ctxt = mg_fault() ? NULL : xmlNewParserCtxt();
    mg_xml *xml = mg_calloc(1, sizeof *xml);
    mg_status st = ctxt && xml ? MG_OK : MG_FAIL(MG_ERR_MEMORY, "no memory to parse '%s'", name);
    if (st) goto done;
    ctxt->_private = &refused;
    ctxt->sax->internalSubset = refuse_type;
    xml->doc = xmlCtxtReadMemory(ctxt, text, (int)bytes, NULL, encoding, options);
    if (!xml->doc || refused || !xmlDocGetRootElement(xml->doc))
        st = fail(ctxt, refused, name);
    else
        *out = xml;

done:
    if (ctxt) xmlFreeParserCtxt(ctxt);
    if (st) mg_xml_free(&xml);
    return st;
}

void mg_xml_free(mg_xml **xml)
{
    if (!*xml) return;
    xmlFreeDoc((*xml)->doc);
    mg_free(*xml);
    *xml = NULL;
}

const mg_xml_element *mg_xml_root(const mg_xml *xml)
{
    return xmlDocGetRootElement(xml->doc);
}

const char *mg_xml_name(const mg_xml_element *element)
{
    return (const char *)element->name;
}

static const mg_xml_element *first_of(const xmlNode *node, const char *name)
{
    while (node && (node->type != XML_ELEMENT_NODE || strcmp((const char *)node->name, name)))
        node = node->next;
    return node;
}

const mg_xml_element *mg_xml_child(const mg_xml_element *parent, const char *name)
{
    return parent ? first_of(parent->children, name) : NULL;
}

const mg_xml_element *mg_xml_next(const mg_xml_element *element, const char *name)
{
    return element ? first_of(element->next, name) : NULL;
}

char *mg_xml_text(const mg_xml_element *element)
{
    if (!element) return mg_strdup("");
    char *content = mg_fault() ? NULL : (char *)xmlNodeGetContent(element), *copy = NULL;
    if (content) {
        char *from = content, *end = content + strlen(content);
        while (isspace((unsigned char)*from)) from++;
        while (end > from && isspace((unsigned char)end[-1])) end--;
        *end = '\0';
        copy = mg_strdup(from);
    }
    xmlFree(content);
    return copy;
}
