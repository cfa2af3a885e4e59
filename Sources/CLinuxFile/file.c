#define _GNU_SOURCE
#include "clinuxfile.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#endif

int clf_rename_new(int folder, const char *from, const char *to) {
    if (syscall(SYS_renameat2, folder, from, folder, to, RENAME_NOREPLACE) == 0) return 0;
    if (errno != EINVAL && errno != ENOSYS) return -errno;
    // Without that flag in the file system or kernel: make a second link, which never replaces a
    // file.
    if (linkat(folder, from, folder, to, 0) != 0) return -errno;
    return unlinkat(folder, from, 0) == 0 ? 0 : -errno;
}

int clf_sync_file_system(int fd) { return syncfs(fd) == 0 ? 0 : -errno; }

int clf_start_writeback(int fd, int64_t offset, int64_t length) {
    return sync_file_range(fd, offset, length, SYNC_FILE_RANGE_WRITE) == 0 ? 0 : -errno;
}

int64_t clf_next_data(int fd, int64_t offset) {
    off_t found = lseek(fd, offset, SEEK_DATA);
    return found >= 0 ? found : -errno;
}

int64_t clf_next_hole(int fd, int64_t offset) {
    off_t found = lseek(fd, offset, SEEK_HOLE);
    return found >= 0 ? found : -errno;
}
