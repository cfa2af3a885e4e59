#ifndef PATHWISE_CLINUXFILE_H
#define PATHWISE_CLINUXFILE_H

/*
 * What Swift cannot say itself of Linux files, because the C library declares it for GNU sources
 * alone. No policy here: each function is one or two system calls.
 *
 * Functions that return an integer give -errno on failure.
 */

#include <stdint.h>

/* Renames within one folder unless the new name exists: then -EEXIST. Never follows or replaces. */
int clf_rename_new(int folder, const char *from, const char *to);

/* Writes everything of the file system that holds `fd` to the disk; syncfs(2). */
int clf_sync_file_system(int fd);

/* Begins to write a range of a file to the disk and does not wait; sync_file_range(2). */
int clf_start_writeback(int fd, int64_t offset, int64_t length);

/* The next offset at or after `offset` that holds data, or that begins a hole; lseek(2). */
int64_t clf_next_data(int fd, int64_t offset);
int64_t clf_next_hole(int fd, int64_t offset);

#endif
