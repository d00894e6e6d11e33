/* token_class.h: what sort of token a kind is, for those who show source text and know no grammar. */
#ifndef AIOVM_GRAMMAR_TOKEN_CLASS_H
#define AIOVM_GRAMMAR_TOKEN_CLASS_H

enum token_class {
    TOKEN_CLASS_LAYOUT, /* NEWLINE, INDENT, DEDENT */
    TOKEN_CLASS_NAME,
    TOKEN_CLASS_KEYWORD,
    TOKEN_CLASS_DEFINES, /* the keyword before a name that is defined: def, class */
    TOKEN_CLASS_CONSTANT,
    TOKEN_CLASS_STRING,
    TOKEN_CLASS_NUMBER,
    TOKEN_CLASS_OPEN, /* ( [ { */
    TOKEN_CLASS_CLOSE,
    TOKEN_CLASS_OPERATOR,
};

enum token_class token_class_of(int kind);

#endif
