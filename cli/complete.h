/* complete.h: what could stand at the cursor, and the signature of the call it is in: asked of the session's objects.
 */
#ifndef AIOVM_CLI_COMPLETE_H
#define AIOVM_CLI_COMPLETE_H

#include "cli/editor.h"
#include "cli/session.h"

void complete_at(session *s, const char *text, size_t cursor, struct completions *out);
/* A line to be shown below the text, empty when there is nothing to say. */
void complete_hint(session *s, const char *text, size_t cursor, char *line, size_t room);

#endif
