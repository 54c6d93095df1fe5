/// What the scheduler counted for the threads of a process, in nanoseconds (/proc/PID/task/TID/schedstat).
struct ProcessorUsage {
    /// Time on a core.
    var ran: UInt64 = 0
    /// Time in which a thread could have run but its core had other work.
    var waited: UInt64 = 0

    static func - (later: ProcessorUsage, earlier: ProcessorUsage) -> ProcessorUsage {
        ProcessorUsage(ran: later.ran &- earlier.ran, waited: later.waited &- earlier.waited)
    }
}
