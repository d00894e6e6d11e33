/* token_class.c: what sort of token a kind is. */
#include "token_class.h"

#include "parser.h"

enum token_class token_class_of(int kind)
{
    switch (kind) {
    case T_NEWLINE:
    case T_INDENT:
    case T_DEDENT: return TOKEN_CLASS_LAYOUT;
    case T_NAME:
    case T_TYPE: return TOKEN_CLASS_NAME;
    case T_DEF:
    case T_CLASS: return TOKEN_CLASS_DEFINES;
    case T_NONE:
    case T_TRUE:
    case T_FALSE: return TOKEN_CLASS_CONSTANT;
    case T_STRING:
    case T_FSTART:
    case T_FMIDDLE:
    case T_FEND: return TOKEN_CLASS_STRING;
    case T_NUMBER: return TOKEN_CLASS_NUMBER;
    case T_LPAR:
    case T_LSQB:
    case T_LBRACE:
    case T_FLBRACE: return TOKEN_CLASS_OPEN;
    case T_RPAR:
    case T_RSQB:
    case T_RBRACE:
    case T_FRBRACE: return TOKEN_CLASS_CLOSE;
    case T_MATCH:
    case T_CASE:
    case T_OR:
    case T_AND:
    case T_NOT:
    case T_PASS:
    case T_BREAK:
    case T_CONTINUE:
    case T_RETURN:
    case T_RAISE:
    case T_FROM:
    case T_DEL:
    case T_ASSERT:
    case T_GLOBAL:
    case T_NONLOCAL:
    case T_IMPORT:
    case T_AS:
    case T_YIELD:
    case T_IF:
    case T_ELIF:
    case T_ELSE:
    case T_WHILE:
    case T_ASYNC:
    case T_FOR:
    case T_IN:
    case T_WITH:
    case T_TRY:
    case T_FINALLY:
    case T_EXCEPT:
    case T_LAMBDA:
    case T_IS:
    case T_AWAIT: return TOKEN_CLASS_KEYWORD;
    default: return TOKEN_CLASS_OPERATOR;
    }
}
