/* The docs of functions written in C: where DOC's numbers lead (docs.h). */
#include "import.h"
#include "frozen.h"
#include "types_api.h"

enum { DOC_BITS = 8 }; /* of the number of a text among those of its source */

value doc_text(vm *vm, const char *doc)
{
    if (!doc) return V_NONE;
    uintptr_t number = (uintptr_t)doc;
    if (number >> DOC_BITS <= frozen_doc_files) {
        doc = frozen_docs_of(vm);
        if (!doc) return V_ERROR;
        doc += frozen_doc_starts[(number >> DOC_BITS) - 1];
        for (size_t n = number & ((1 << DOC_BITS) - 1); n; n--) doc += strlen(doc) + 1;
    }
    str *s = str_from_cstr(vm, doc);
    return s ? value_obj(s) : V_ERROR;
}
