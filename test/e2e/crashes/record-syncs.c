/*
 * A library for LD_PRELOAD: appends a line "<size> <path>" to the file $SYNC_RECORD after each fsync or fdatasync. The size is that
 * of the file before the call, because bytes that are written during the call are not certain to be on the disk.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int recorded(int fd, const char *name) {
  int (*sync)(int) = (int (*)(int))dlsym(RTLD_NEXT, name);
  char link[64];
  char path[4096];
  struct stat file;
  int has_size = fstat(fd, &file) == 0;
  int result = sync(fd);
  const char *record = getenv("SYNC_RECORD");
  if (result != 0 || !has_size || record == NULL) return result;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length <= 0) return result;
  path[length] = '\0';
  int log = open(record, O_WRONLY | O_APPEND | O_CREAT, 0600);
  if (log < 0) abort();
  dprintf(log, "%lld %s\n", (long long)file.st_size, path);
  close(log);
  return result;
}

int fsync(int fd) { return recorded(fd, "fsync"); }

int fdatasync(int fd) { return recorded(fd, "fdatasync"); }
