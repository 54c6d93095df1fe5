import CKernel
import Glibc
import HyphaBase
import Synchronization
import Testing

@testable import HyphaRim

@Suite struct ThreadTests {
    /// A state that cannot be copied, and tells when it goes.
    struct State: ~Copyable {
        let log: Log
        var number: Int
        deinit { log.gone.add(1, ordering: .relaxed) }
    }

    final class Log: Sendable {
        let gone = Atomic<Int>(0)
        let sum = Atomic<Int>(0)
        let onExpectedCore = Atomic<Bool>(false)
    }

    @Test func aThreadOwnsItsState() throws {
        let log = Log()
        let handle = try Threads.spawn(name: "counting thread", state: State(log: log, number: 40)) { state in
            state.number += 2
            state.log.sum.store(state.number, ordering: .relaxed)
        }
        handle.join()
        #expect(log.sum.load(ordering: .relaxed) == 42)
        #expect(log.gone.load(ordering: .relaxed) == 1)
    }

    @Test func aThreadRunsOnItsCore() throws {
        let cores = Threads.usableCPUs
        #expect(!cores.isEmpty)
        #expect(cores == cores.sorted())
        let core = try #require(cores.last)
        let log = Log()
        let handle = try Threads.spawn(name: "pinned", cpu: core, state: log) { log in
            log.onExpectedCore.store(Threads.usableCPUs == [core], ordering: .relaxed)
        }
        handle.join()
        let wasThere = log.onExpectedCore.load(ordering: .relaxed)
        #expect(wasThere)
        #expect(Threads.usableCPUs == cores)
    }

    @Test func anImpossibleCoreIsNoObstacle() throws {
        let log = Log()
        let handle = try Threads.spawn(name: "free", cpu: 100_000, state: log) { $0.sum.store(7, ordering: .relaxed) }
        handle.join()
        #expect(log.sum.load(ordering: .relaxed) == 7)
    }

    @Test func theClockGoesForward() {
        let first = SystemClock.now()
        let second = SystemClock.now()
        #expect(first <= second)
        #expect(first > .zero)
        // 2024-01-01.
        #expect(SystemClock.wallSeconds > 1_704_067_200)
    }

    @Test func controlSleepsUntilWokenOrDue() throws {
        let wake = try Wake()
        let control = ControlWait(wake: wake)
        #expect(control.sleep(until: .zero).isEmpty)
        let deadline = SystemClock.now().advanced(byMilliseconds: 20)
        #expect(control.sleep(until: deadline).isEmpty)
        #expect(SystemClock.now() >= deadline)
        wake.signal()
        wake.signal()
        #expect(control.sleep(until: nil) == .woken)
        #expect(control.sleep(until: .zero).isEmpty)
    }

    @Test func controlSleepsOnFurtherDescriptors() throws {
        let wake = try Wake()
        let control = ControlWait(wake: wake)
        let events = try (0..<ControlWait.maxDescriptors).map { _ in try Wake() }
        let descriptors = events.map { WaitDescriptor(number: $0.descriptor) }
        #expect(control.sleep(until: .zero, orReadable: descriptors).isEmpty)
        // Each of them ends the sleep, and stays readable until it is read.
        for event in events {
            event.signal()
            #expect(control.sleep(until: nil, orReadable: descriptors) == .readable)
            #expect(control.sleep(until: nil, orReadable: descriptors) == .readable)
            chy_event_drain(event.descriptor)
            #expect(control.sleep(until: .zero, orReadable: descriptors).isEmpty)
        }
        wake.signal()
        events[0].signal()
        #expect(control.sleep(until: nil, orReadable: descriptors) == [.woken, .readable])
        // One past the end is left out.
        chy_event_drain(events[0].descriptor)
        let extra = try Wake()
        extra.signal()
        let tooMany = descriptors + [WaitDescriptor(number: extra.descriptor)]
        #expect(control.sleep(until: .zero, orReadable: tooMany).isEmpty)
    }

    @Test func signalsComeThroughTheQueue() throws {
        // On a thread of its own: blocking signals must not change the test runner's threads.
        let box = SeenSignals()
        let handle = try Threads.spawn(name: "signals", state: box) { box in
            guard let signals = try? Signals(), let wake = try? Wake() else { return }
            let control = ControlWait(wake: wake, signals: signals)
            box.add(signals.take())
            for number in [SIGHUP, SIGUSR1, SIGTERM] {
                pthread_kill(pthread_self(), number)
                if control.sleep(until: nil) == .signal { box.add(signals.take()) }
            }
            box.add(signals.take())
        }
        handle.join()
        #expect(box.all == [nil, .reload, .dump, .terminate, nil])
    }

    final class SeenSignals: Sendable {
        private let list = Mutex<[Signals.Signal?]>([])
        func add(_ signal: Signals.Signal?) { list.withLock { $0.append(signal) } }
        var all: [Signals.Signal?] { list.withLock { $0 } }
    }

    @Test func reservedMemoryIsZeroAndCostsNothing() throws {
        // More than the machine has: only touched pages count.
        let memory = try Memory.reserve(bytes: 1 << 38)
        defer { Memory.release(memory) }
        #expect(memory.count == 1 << 38)
        #expect(UInt(bitPattern: memory.baseAddress) % 4_096 == 0)
        #expect(memory[0] == 0 && memory[1 << 37] == 0)
        memory[1 << 37] = 9
        #expect(memory[1 << 37] == 9)
        #expect(throws: RimError.self) { try Memory.reserve(bytes: 0) }
        #expect(throws: RimError.self) { try Memory.reserve(bytes: 1 << 62) }
    }
}
