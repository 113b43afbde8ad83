"""What a rehearsed service may not do, as directives (systemd.exec(5)) that end its unit.

It holds back what a release does by mistake or as a matter of course. A release is no enemy of the
user that it runs as: after the switch it runs as that user without this sandbox.
"""

import os
import re

# Assignments that are left out: those below take their place, or they would reach outside.
_LEFT_OUT = (
    "ExecStop ExecStopPost ExecReload ExecReloadPost Type Restart RestartSec RestartSteps "
    "RestartMaxDelaySec RestartMode RestartPreventExitStatus RestartForceExitStatus "
    "StartLimitInterval StartLimitIntervalSec StartLimitBurst StartLimitAction FailureAction "
    "SuccessAction RebootArgument RuntimeMaxSec RuntimeRandomizedExtraSec TimeoutSec "
    "TimeoutStartSec TimeoutStopSec TimeoutAbortSec TimeoutStartFailureMode "
    "TimeoutStopFailureMode RemainAfterExit PIDFile GuessMainPID BusName Sockets "
    "FileDescriptorStoreMax FileDescriptorStorePreserve OpenFile USBFunctionDescriptors "
    "USBFunctionStrings RootDirectoryStartOnly PermissionsStartOnly KillMode KillSignal "
    "RestartKillSignal SendSIGHUP SendSIGKILL FinalKillSignal Slice Delegate DelegateSubgroup "
    "CPUWeight StartupCPUWeight CPUShares StartupCPUShares IOWeight StartupIOWeight BlockIOWeight "
    "StartupBlockIOWeight IODeviceWeight BlockIODeviceWeight MemoryMin MemoryLow StartupMemoryLow "
    "DefaultMemoryLow DefaultMemoryMin MemoryMax MemoryLimit MemorySwapMax ManagedOOMSwap "
    "ManagedOOMMemoryPressure ManagedOOMPreference CPUSchedulingPolicy CPUSchedulingPriority "
    "CPUSchedulingResetOnFork IOSchedulingClass IOSchedulingPriority Nice OOMScoreAdjust "
    "OOMPolicy PrivateNetwork NetworkNamespacePath PrivateTmp PrivateMounts MountFlags PrivateIPC "
    "IPCNamespacePath PrivatePIDs RemoveIPC ProtectSystem ReadWritePaths ReadWriteDirectories "
    "BindPaths StateDirectory StateDirectoryMode StateDirectoryQuota CacheDirectory "
    "CacheDirectoryMode LogsDirectory LogsDirectoryMode RuntimeDirectory RuntimeDirectoryMode "
    "RuntimeDirectoryPreserve ConfigurationDirectory ConfigurationDirectoryMode StandardInput "
    "StandardOutput StandardError StandardInputText StandardInputData TTYPath TTYReset TTYVHangup "
    "TTYVTDisallocate TTYRows TTYColumns UtmpIdentifier UtmpMode SyslogIdentifier SyslogFacility "
    "SyslogLevel LogNamespace LogExtraFields LimitCORE"
)
LEFT_OUT = frozenset(_LEFT_OUT.split())
# One that a unit has of these needs devices of the host.
NEEDS_DEVICES = ("DeviceAllow", "DevicePolicy")
# To end processes of others, to change the host, or to leave the sandbox.
NO_CAPABILITY = (
    "CAP_SYS_ADMIN CAP_SYS_PTRACE CAP_SYS_MODULE CAP_SYS_RAWIO CAP_SYS_BOOT CAP_SYS_TIME"
    " CAP_NET_ADMIN CAP_MKNOD CAP_DAC_READ_SEARCH CAP_KILL CAP_BPF CAP_PERFMON CAP_SYSLOG"
    " CAP_LINUX_IMMUTABLE CAP_AUDIT_CONTROL CAP_WAKE_ALARM CAP_BLOCK_SUSPEND CAP_MAC_ADMIN"
    " CAP_MAC_OVERRIDE CAP_SYS_NICE CAP_SYS_RESOURCE"
)
# A release that finds the process ID of a running service must not end that service.
NO_CALL = "kill:EPERM pidfd_send_signal:EPERM rt_sigqueueinfo:EPERM @debug:EPERM @reboot:EPERM"
# In /run are the sockets of the system bus, of databases, of container engines.
OF_RUN = (
    "/run/systemd/notify", "/run/systemd/journal", "/run/systemd/resolve", "/run/systemd/userdb",
)  # fmt: skip
# Their sockets are out of reach in any case.
PRIVATE = ("/run/", "/var/run/", "/tmp/", "/var/tmp/", "/dev/", "/proc/")  # noqa: S108
MOST_SOCKETS = 200

LINES = (
    "PrivateNetwork=yes",
    "PrivateTmp=yes",
    "PrivateIPC=yes",
    "PrivateMounts=yes",
    "ProtectSystem=strict",
    "ProtectKernelTunables=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelLogs=yes",
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHostname=yes",
    "NoNewPrivileges=yes",
    "RestrictSUIDSGID=yes",
    "RestrictRealtime=yes",
    f"CapabilityBoundingSet=~{NO_CAPABILITY}",
    f"SystemCallFilter=~{NO_CALL}",
    "SystemCallErrorNumber=EPERM",
    # It is the same for all network namespaces.
    "RestrictAddressFamilies=~AF_VSOCK",
    *(f"BindReadOnlyPaths=-{place}" for place in OF_RUN),
    "StandardInput=null",
    "StandardOutput=journal",
    "StandardError=journal",
    "SyslogIdentifier=autoupdate-rehearse",
    "LimitCORE=0",
    "Restart=no",
    "OOMPolicy=stop",
    # Production is not swapped out for it, and it ends first when memory is short.
    "MemorySwapMax=0",
    "OOMScoreAdjust=1000",
    "CPUWeight=10",
    "IOWeight=10",
    "KillMode=control-group",
    "KillSignal=SIGKILL",
    "TimeoutStopSec=10s",
)


def memory() -> int:
    """Return the bytes that one rehearsed service may use: most of what is free now (proc(5))."""
    with open("/proc/meminfo", encoding="ascii") as facts:
        found = {line.partition(":")[0]: line.split()[1] for line in facts}
    return int(found["MemAvailable"]) * 1024 * 8 // 10


def sockets(without: str) -> list[str]:
    """Return the files of the host's sockets that a sandbox would reach, except those below a path.

    To connect is not to write, so that a read-only file system does not prevent it (unix(7)).
    """
    with open("/proc/net/unix", encoding="utf-8", errors="surrogateescape") as table:
        found = {match[1] for line in table if (match := re.search(r" (/.*)$", line.rstrip("\n")))}
    left = {
        os.path.normpath(place)
        for place in found
        if not place.startswith((*PRIVATE, f"{without}/")) and place.isprintable()
    }
    return sorted(left)[:MOST_SOCKETS]
