/* explain.h: better words for an error that the grammar or a check found. */
#ifndef AIOVM_GRAMMAR_EXPLAIN_H
#define AIOVM_GRAMMAR_EXPLAIN_H

#include "state.h"

/* Looks at the text around ps->error and rewrites it as CPython would put it. `parser` is as the
 * error left it. Slow paths only: the text before the error is scanned again. */
void explain_error(struct parse_state *ps, struct yyParser *parser, parse_mode mode);

#endif
