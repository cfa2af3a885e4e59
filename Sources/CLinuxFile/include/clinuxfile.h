#ifndef PATHWISE_CLINUXFILE_H
#define PATHWISE_CLINUXFILE_H

/*
 * Linux file calls that Swift cannot make itself, because the C library declares them only for GNU
 * sources. There is no policy here: each function makes one or two system calls.
 *
 * Functions that return an integer return -errno on failure.
 */

#include <stdint.h>

/* Renames within one folder; returns -EEXIST if the new name exists. It never follows links or
 * replaces files. */
int clf_rename_new(int folder, const char *from, const char *to);

/* Syncs the file system that contains `fd` to disk; syncfs(2). */
int clf_sync_file_system(int fd);

/* Starts writing a range of a file to disk without waiting; sync_file_range(2). */
int clf_start_writeback(int fd, int64_t offset, int64_t length);

/* The next offset at or after `offset` with data, or at which a hole begins; lseek(2). */
int64_t clf_next_data(int fd, int64_t offset);
int64_t clf_next_hole(int fd, int64_t offset);

#endif
