#ifndef PATHWISE_CSQLITE_H
#define PATHWISE_CSQLITE_H
#include <sqlite3.h>

/* sqlite3_db_config takes variable arguments, which Swift cannot pass. */
static inline int pathwise_sqlite_config(sqlite3 *db, int option, int on) {
    return sqlite3_db_config(db, option, on, (int *)0);
}

/* SQLITE_TRANSIENT is a cast of -1 to a function pointer, which Swift cannot import. */
static inline int pathwise_sqlite_bind_text(
    sqlite3_stmt *statement, int index, const char *text, int bytes) {
    return sqlite3_bind_text(statement, index, text, bytes, SQLITE_TRANSIENT);
}
#endif
