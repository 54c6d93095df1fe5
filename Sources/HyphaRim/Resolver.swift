internal import CKernel
internal import HyphaBase
internal import Synchronization

/// Resolves host names on a thread of its own, so that a slow name server stops nobody else.
///
/// At most `capacity` look-ups are open (asked and their answers not taken); further ones are refused. Safe from any
/// thread.
public final class Resolver: Sendable {
    /// Most look-ups open at once.
    public static let capacity = 64
    /// Most addresses of one name.
    public static let maxAddresses = 8

    private struct Request: Sendable {
        let id: UInt64
        let host: String
        let port: UInt16
    }

    private struct Queues: Sendable {
        var requests: [Request] = []
        var answers: [Resolution] = []
        var open = 0
        var isStopped = false
    }

    private let queues = Mutex(Queues())
    /// Wakes the thread.
    private let work: Wake
    /// Wakes whoever takes the answers.
    private let done: Wake

    /// Starts the thread. `wake` is signalled when an answer is ready.
    public static func start(wake: Wake) throws(RimError) -> Resolver {
        let resolver = Resolver(work: try Wake(), done: wake)
        let thread = try Threads.spawn(name: "resolver", state: resolver) { resolver in resolver.run() }
        // A look-up can take as long as the name servers let it; nobody waits for it at the end.
        thread.detach()
        return resolver
    }

    private init(work: Wake, done: Wake) {
        self.work = work
        self.done = done
    }

    /// Asks for the addresses of a host name or numeric address (zones are accepted). The answer carries `id`.
    /// False when too many look-ups are open or the resolver has stopped.
    public func resolve(id: UInt64, host: String, port: UInt16) -> Bool {
        let accepted = queues.withLock { queues in
            guard !queues.isStopped, queues.open < Resolver.capacity else { return false }
            queues.open += 1
            queues.requests.append(Request(id: id, host: host, port: port))
            return true
        }
        if accepted { work.signal() }
        return accepted
    }

    /// The oldest answer not taken yet.
    public func take() -> Resolution? {
        queues.withLock { queues in
            guard !queues.answers.isEmpty else { return nil }
            queues.open -= 1
            return queues.answers.removeFirst()
        }
    }

    /// Ends the thread after the look-up it is busy with; waiting requests are forgotten.
    public func stop() {
        queues.withLock { queues in
            queues.isStopped = true
            queues.requests = []
        }
        work.signal()
    }

    private func run() {
        while true {
            chy_event_drain(work.descriptor)
            while true {
                let (request, isStopped) = queues.withLock { queues -> (Request?, Bool) in
                    guard !queues.isStopped, !queues.requests.isEmpty else { return (nil, queues.isStopped) }
                    return (queues.requests.removeFirst(), false)
                }
                if isStopped { return }
                guard let request else { break }
                let answer = Resolver.lookUp(request)
                queues.withLock { queues in
                    if !queues.isStopped { queues.answers.append(answer) }
                }
                done.signal()
            }
        }
    }

    private static func lookUp(_ request: Request) -> Resolution {
        withUnsafeTemporaryAllocation(of: chy_address.self, capacity: maxAddresses) { room in
            let count = chy_resolve(request.host, request.port, room.baseAddress, Int32(maxAddresses))
            guard count >= 0 else {
                let reason = chy_resolve_text(count).map { String(cString: $0) } ?? "error \(count)"
                return Resolution(
                    id: request.id, host: request.host, port: request.port, addresses: [],
                    error: "cannot resolve \(request.host): \(reason); check the name and the name servers")
            }
            return Resolution(
                id: request.id, host: request.host, port: request.port,
                addresses: room.prefix(Int(count)).map(\.socketAddress),
                error: count == 0 ? "\(request.host) has no IPv4 or IPv6 address" : "")
        }
    }
}
