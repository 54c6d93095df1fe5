// TOML 1.0 documents as a flat array of nodes with their places in the text. The parser is toml++.
//
// Nothing here throws or aborts on any input. A document is read-only after parsing; different documents may be used
// by different threads.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/// What a node holds.
typedef enum {
    CHY_TOML_TABLE,
    CHY_TOML_ARRAY,
    CHY_TOML_STRING,
    CHY_TOML_INTEGER,
    CHY_TOML_FLOAT,
    CHY_TOML_BOOLEAN,
    CHY_TOML_DATE_TIME,
} chy_toml_kind;

/// A place in the text: line and column count from 1, columns in code points. Both are 0 where nothing was written,
/// which is so for the root.
typedef struct {
    uint32_t line;
    uint32_t column;
} chy_toml_place;

/// UTF-8 text without a terminating zero; it may hold zeros. Belongs to the document.
typedef struct {
    const char *bytes;
    size_t count;
} chy_toml_text;

/// One value and, when its parent is a table, its key.
typedef struct {
    chy_toml_text key;
    chy_toml_place key_place;
    chy_toml_place place;
    chy_toml_kind kind;
    /// Value of an integer; 0 or 1 of a boolean.
    int64_t integer;
    /// Value of a string.
    chy_toml_text text;
    /// Children of a table or array stand side by side, in the order of the text: nodes first_child and following.
    size_t first_child;
    size_t child_count;
} chy_toml_node;

/// Why a text is not a TOML document.
typedef struct {
    chy_toml_place place;
    /// Zero-terminated, cut when longer.
    char text[256];
} chy_toml_error;

typedef struct chy_toml_document chy_toml_document;

/// Parses `count` bytes. NULL with `error` filled in when they are not a TOML document or not UTF-8.
chy_toml_document *chy_toml_parse(const char *text, size_t count, chy_toml_error *error);

/// Number of nodes; at least 1, the root table at index 0.
size_t chy_toml_node_count(const chy_toml_document *document);

/// Node `index`, NULL beyond the last one.
const chy_toml_node *chy_toml_node_at(const chy_toml_document *document, size_t index);

/// Frees the document and everything read from it. NULL is allowed.
void chy_toml_free(chy_toml_document *document);

#ifdef __cplusplus
}
#endif
