// The floor: a rootless container in the fewest system calls, with no checks, no records and no cleanup. bench/run
// measures rc against it (design.md, "The budget").
//
//   prototype [-1] LOWER DIR PROGRAM ARGUMENT…
//
// LOWER is a root filesystem; the program creates upper, work and merged in DIR. -1 maps a single ID.
// Steps: clone with user, mount, pid, net, ipc and uts namespaces; newuidmap and newgidmap side by side; overlay; proc;
// dev; pivot_root; exec.
#define _GNU_SOURCE
#include <err.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static void must(int result, const char *step) {
  if (result < 0) err(125, "%s", step);
}

static void put(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  must(fd, path);
  must(write(fd, text, strlen(text)), path);
  close(fd);
}

// The first range of the user `name` in `path` (/etc/subuid).
static void range(const char *path, const char *name, unsigned *start, unsigned *count) {
  FILE *file = fopen(path, "re");
  char line[256];
  size_t length = strlen(name);
  *count = 0;
  while (file && fgets(line, sizeof line, file))
    if (!strncmp(line, name, length) && line[length] == ':' && sscanf(line + length, ":%u:%u", start, count) == 2) break;
  if (file) fclose(file);
  if (!*count) errx(125, "no range in %s for %s", path, name);
}

// Starts newuidmap or newgidmap (posix_spawn is a vfork) without waiting for it.
static pid_t spawn_map(const char *program, pid_t pid, unsigned self, const char *file, const char *name) {
  char target[16], outside[16], first[16], length[16];
  unsigned start, count;
  range(file, name, &start, &count);
  snprintf(target, sizeof target, "%d", pid);
  snprintf(outside, sizeof outside, "%u", self);
  snprintf(first, sizeof first, "%u", start);
  snprintf(length, sizeof length, "%u", count);
  char *arguments[] = {(char *)program, target, "0", outside, "1", "1", first, length, NULL};
  pid_t child;
  if (posix_spawn(&child, program, NULL, NULL, arguments, environ)) errx(125, "cannot start %s", program);
  return child;
}

static void device(const char *root, const char *name) {
  char source[64], target[PATH_MAX + 64];
  snprintf(source, sizeof source, "/dev/%s", name);
  snprintf(target, sizeof target, "%s/dev/%s", root, name);
  int fd = open(target, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
  must(fd, target);
  close(fd);
  must(mount(source, target, NULL, MS_BIND, NULL), target);
}

static void inside(const char *lower, const char *directory, char **program) {
  char merged[PATH_MAX - 32], path[PATH_MAX], options[3 * PATH_MAX + 128];
  must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), "private mounts");
  snprintf(merged, sizeof merged, "%s/merged", directory);
  snprintf(options, sizeof options, "lowerdir=%s,upperdir=%s/upper,workdir=%s/work,userxattr", lower, directory, directory);
  must(mount("overlay", merged, "overlay", 0, options), "overlay");
  snprintf(path, sizeof path, "%s/proc", merged);
  mkdir(path, 0755);
  must(mount("proc", path, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL), "proc");
  snprintf(path, sizeof path, "%s/dev", merged);
  mkdir(path, 0755);
  must(mount("tmpfs", path, "tmpfs", MS_NOSUID, "mode=755,size=65536k"), "dev");
  const char *names[] = {"null", "zero", "full", "random", "urandom", "tty"};
  for (unsigned i = 0; i < sizeof names / sizeof *names; i++) device(merged, names[i]);
  must(chdir(merged), "chdir");
  must((int)syscall(SYS_pivot_root, ".", "."), "pivot_root");
  must(umount2(".", MNT_DETACH), "umount");
  must(chdir("/"), "chdir /");
  must(sethostname("prototype", 9), "hostname");
  char *clean[] = {"PATH=/bin:/usr/bin", NULL};
  execve(program[0], program, clean);
  err(127, "%s", program[0]);
}

int main(int argc, char **argv) {
  int one = argc > 1 && !strcmp(argv[1], "-1");
  argv += 1 + one;
  if (argc - one < 4) errx(125, "usage: prototype [-1] LOWER DIRECTORY PROGRAM ARGUMENT...");
  const char *lower = argv[0], *directory = argv[1], *parts[] = {"", "/upper", "/work", "/merged"};
  char path[PATH_MAX];
  for (int i = 0; i < 4; i++) {
    snprintf(path, sizeof path, "%s%s", directory, parts[i]);
    mkdir(path, 0755);
  }
  uid_t user = getuid();
  gid_t group = getgid();
  int mapped[2];
  must(pipe2(mapped, O_CLOEXEC), "pipe");
  struct clone_args arguments = {
      .flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS,
      .exit_signal = SIGCHLD,
  };
  pid_t child = (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
  must(child, "clone3");
  if (child == 0) {
    char byte;
    close(mapped[1]);
    if (read(mapped[0], &byte, 1) != 1) _exit(125);
    must(setresgid(0, 0, 0), "setresgid");
    must(setresuid(0, 0, 0), "setresuid");
    inside(lower, directory, argv + 2);
  }
  if (one) {
    char line[64];
    snprintf(path, sizeof path, "/proc/%d/setgroups", child);
    put(path, "deny");
    snprintf(path, sizeof path, "/proc/%d/uid_map", child);
    snprintf(line, sizeof line, "0 %u 1", user);
    put(path, line);
    snprintf(path, sizeof path, "/proc/%d/gid_map", child);
    snprintf(line, sizeof line, "0 %u 1", group);
    put(path, line);
  } else {
    const char *name = getenv("USER");
    if (!name) errx(125, "USER is not set");
    pid_t maps[2] = {
        spawn_map("/usr/bin/newuidmap", child, user, "/etc/subuid", name),
        spawn_map("/usr/bin/newgidmap", child, group, "/etc/subgid", name),
    };
    for (int i = 0; i < 2; i++) {
      int status;
      must(waitpid(maps[i], &status, 0), "wait");
      if (status) errx(125, "newuidmap or newgidmap failed");
    }
  }
  must(write(mapped[1], "m", 1), "sync");
  int status;
  must(waitpid(child, &status, 0), "wait");
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
