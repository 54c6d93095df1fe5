internal import CKernel
internal import Glibc

/// Threads that own their state.
public enum Threads {
    /// What a new thread takes with it.
    private final class Start<State: ~Copyable> {
        let name: String
        let cpu: Int?
        var state: State
        let run: @Sendable (inout State) -> Void
        init(_ name: String, _ cpu: Int?, _ state: consuming State, _ run: @escaping @Sendable (inout State) -> Void) {
            self.name = name
            self.cpu = cpu
            self.state = state
            self.run = run
        }

        /// Runs on the new thread.
        func callAsThread() {
            if let cpu { _ = chy_thread_pin(Int32(truncatingIfNeeded: cpu)) }
            chy_thread_name(name)
            run(&state)
        }
    }

    /// The type-free face of `Start`, so that one C entry function serves every state.
    private class Entry {
        func callAsThread() {}
    }
    private final class TypedEntry<State: ~Copyable>: Entry {
        let start: Start<State>
        init(_ start: Start<State>) { self.start = start }
        override func callAsThread() { start.callAsThread() }
    }

    /// Starts a thread that owns `state` and runs `run` to its end.
    ///
    /// `name` appears in `top` and `ps` (15 bytes at most). `cpu` binds it to one core; a core that the process may
    /// not use leaves it unbound.
    public static func spawn<State: ~Copyable>(
        name: String, cpu: Int? = nil, state: consuming sending State,
        run: @escaping @Sendable (inout State) -> Void
    ) throws(RimError) -> ThreadHandle {
        let entry = Unmanaged.passRetained(TypedEntry(Start(name, cpu, state, run)) as Entry)
        var thread = pthread_t()
        let code = pthread_create(
            &thread, nil,
            { argument in
                if let argument { Unmanaged<Entry>.fromOpaque(argument).takeRetainedValue().callAsThread() }
                return nil
            }, entry.toOpaque())
        guard code == 0 else {
            entry.release()
            throw RimError(
                .system,
                "cannot start thread \(name): \(RimError.text(code)); raise the limit of processes (ulimit -u) or of the service (TasksMax)"
            )
        }
        return ThreadHandle(thread)
    }

    /// Cores that this process may run on, in ascending order.
    public static var usableCPUs: [Int] {
        withUnsafeTemporaryAllocation(of: Int32.self, capacity: 1_024) { room in
            let count = chy_usable_cpus(room.baseAddress, 1_024)
            return room.prefix(Int(count)).map { Int($0) }
        }
    }

    /// Binds the calling thread to one core; false when the process may not use it.
    @discardableResult
    public static func pinCurrent(to cpu: Int) -> Bool { chy_thread_pin(Int32(truncatingIfNeeded: cpu)) == 0 }
}
