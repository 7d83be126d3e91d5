/**
 * The system calls of Docker's default profile (version 28), as data. Names that a kernel or libseccomp does not know
 * are passed over by the runtime.
 */

const words = (...lines: readonly string[]): readonly string[] => lines.flatMap((line) => line.split(' '))

const files = words(
  'access chdir chmod chown chown32 close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 fadvise64',
  'fadvise64_64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchown32 fchownat fcntl fcntl64 fdatasync fgetxattr',
  'flistxattr flock fremovexattr fsetxattr fstat fstat64 fstatat64 fstatfs fstatfs64 fsync ftruncate ftruncate64',
  'futimesat getcwd getdents getdents64 getxattr getxattrat inotify_add_watch inotify_init inotify_init1',
  'inotify_rm_watch ioctl lchown lchown32 lgetxattr link linkat listxattr listxattrat llistxattr _llseek lremovexattr',
  'lseek lsetxattr lstat lstat64 mkdir mkdirat mknod mknodat name_to_handle_at newfstatat open openat openat2 pipe',
  'pipe2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read readahead readlink readlinkat readv removexattr',
  'removexattrat rename renameat renameat2 rmdir sendfile sendfile64 setxattr setxattrat splice stat stat64 statfs',
  'statfs64 statx symlink symlinkat sync sync_file_range syncfs tee truncate truncate64 umask unlink unlinkat utime',
  'utimensat utimensat_time64 utimes vmsplice write writev fanotify_mark',
)

const waiting = words(
  'epoll_create epoll_create1 epoll_ctl epoll_ctl_old epoll_pwait epoll_pwait2 epoll_wait epoll_wait_old eventfd',
  'eventfd2 poll ppoll ppoll_time64 pselect6 pselect6_time64 select _newselect io_cancel io_destroy io_getevents',
  'io_pgetevents io_pgetevents_time64 io_setup io_submit signalfd signalfd4',
)

const memory = words(
  'brk cachestat madvise map_shadow_stack membarrier memfd_create memfd_secret mincore mlock mlock2 mlockall mmap mmap2',
  'mprotect mremap mseal msync munlock munlockall munmap pkey_alloc pkey_free pkey_mprotect process_mrelease',
  'remap_file_pages shmat shmctl shmdt shmget',
)

const processes = words(
  'alarm capget capset execve execveat exit exit_group fork futex futex_requeue futex_time64 futex_wait futex_waitv',
  'futex_wake getcpu getegid getegid32 geteuid geteuid32 getgid getgid32 getgroups getgroups32 getitimer getpgid getpgrp',
  'getpid getppid getpriority getresgid getresgid32 getresuid getresuid32 getrlimit get_robust_list getrusage getsid',
  'get_thread_area gettid getuid getuid32 ioprio_get ioprio_set kill landlock_add_rule landlock_create_ruleset',
  'landlock_restrict_self pause pidfd_open pidfd_send_signal prctl prlimit64 restart_syscall rseq rt_sigaction',
  'rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_sigtimedwait_time64',
  'rt_tgsigqueueinfo sched_getaffinity sched_getattr sched_getparam sched_get_priority_max sched_get_priority_min',
  'sched_getscheduler sched_rr_get_interval sched_rr_get_interval_time64 sched_setaffinity sched_setattr sched_setparam',
  'sched_setscheduler sched_yield seccomp setfsgid setfsgid32 setfsuid setfsuid32 setgid setgid32 setgroups setgroups32',
  'setitimer setpgid setpriority setregid setregid32 setresgid setresgid32 setresuid setresuid32 setreuid setreuid32',
  'setrlimit set_robust_list setsid set_thread_area set_tid_address setuid setuid32 sigaltstack sigprocmask sigreturn',
  'tgkill tkill ugetrlimit uretprobe vfork wait4 waitid waitpid',
)

const times = words(
  'adjtimex clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime clock_gettime64 clock_nanosleep',
  'clock_nanosleep_time64 gettimeofday nanosleep time timer_create timer_delete timer_getoverrun timer_gettime',
  'timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime timerfd_gettime64 timerfd_settime',
  'timerfd_settime64 times',
)

const messages = words(
  'accept accept4 bind connect getpeername getsockname getsockopt ipc listen mq_getsetattr mq_notify mq_open',
  'mq_timedreceive mq_timedreceive_time64 mq_timedsend mq_timedsend_time64 mq_unlink msgctl msgget msgrcv msgsnd recv',
  'recvfrom recvmmsg recvmmsg_time64 recvmsg semctl semget semop semtimedop semtimedop_time64 send sendmmsg sendmsg',
  'sendto setsockopt shutdown socketcall socketpair',
)

const others = words('getrandom sysinfo uname')

/** Allowed whatever the arguments. */
export const ALLOWED_CALLS: readonly string[] = [
  ...files,
  ...waiting,
  ...memory,
  ...processes,
  ...times,
  ...messages,
  ...others,
]

/** Allowed from Linux 4.8 on, where seccomp looks at a traced call again: ptrace cannot change it behind the filter. */
export const TRACING_CALLS: readonly string[] = ['ptrace', 'process_vm_readv', 'process_vm_writev']

/** Allowed to a container that has the capability. */
export const CALLS_OF_CAPABILITY: Readonly<Record<string, readonly string[]>> = {
  CAP_DAC_READ_SEARCH: ['open_by_handle_at'],
  CAP_SYS_ADMIN: words(
    'bpf clone clone3 fanotify_init fsconfig fsmount fsopen fspick listmount lookup_dcookie lsm_get_self_attr',
    'lsm_list_modules lsm_set_self_attr mount mount_setattr move_mount open_tree perf_event_open quotactl quotactl_fd',
    'setdomainname sethostname setns statmount syslog umount umount2 unshare',
  ),
  CAP_SYS_BOOT: ['reboot'],
  CAP_SYS_CHROOT: ['chroot'],
  CAP_SYS_MODULE: ['delete_module', 'init_module', 'finit_module'],
  CAP_SYS_PACCT: ['acct'],
  CAP_SYS_PTRACE: ['kcmp', 'pidfd_getfd', 'process_madvise', 'process_vm_readv', 'process_vm_writev', 'ptrace'],
  CAP_SYS_RAWIO: ['iopl', 'ioperm'],
  CAP_SYS_TIME: ['settimeofday', 'stime', 'clock_settime', 'clock_settime64'],
  CAP_SYS_TTY_CONFIG: ['vhangup'],
  CAP_SYS_NICE: ['get_mempolicy', 'mbind', 'set_mempolicy', 'set_mempolicy_home_node'],
  CAP_SYSLOG: ['syslog'],
  CAP_BPF: ['bpf'],
  CAP_PERFMON: ['perf_event_open'],
}

/** Machines as Node names them. */
export type Machine = 'x64' | 'arm64'

/** Calls that only one kind of machine has. */
export const CALLS_OF_MACHINE: Readonly<Record<Machine, readonly string[]>> = {
  x64: ['arch_prctl', 'modify_ldt'],
  arm64: words('arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls'),
}

/** The machine's own calls and those of the older programs that it runs. */
export const ARCHITECTURES: Readonly<Record<Machine, readonly string[]>> = {
  x64: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
  arm64: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
}
