import HyphaBase
import Testing

@testable import HyphaControl

@Suite struct DialerTests {
    private let a = SimulatedNetwork.endpoint(1)
    private let b = SimulatedNetwork.endpoint(2)
    private let c = SimulatedNetwork.endpoint6(3)

    private func makeDialer() -> Dialer {
        var dialer = Dialer(hosts: [Dialer.Host(name: "x", port: 1), Dialer.Host(name: "y", port: 1)])
        dialer.asked()
        dialer.answered(host: "y", port: 1, [ResolvedAddress(address: c, largestDatagram: 0)])
        dialer.answered(host: "x", port: 2, [ResolvedAddress(address: b, largestDatagram: 0)])
        #expect(dialer.isWaiting)
        dialer.answered(host: "x", port: 1, [a, b].map { ResolvedAddress(address: $0, largestDatagram: 0) })
        #expect(!dialer.isWaiting)
        return dialer
    }

    @Test func twoTriesEach() {
        let dialer = makeDialer()
        let order = (1...8).map { dialer.target(tries: $0, endpoint: nil) { _ in false } }
        #expect(order == [a, a, b, b, c, c, a, a])
        let known = (1...8).map { dialer.target(tries: $0, endpoint: c) { _ in false } }
        #expect(known == [c, c, a, a, b, b, c, c])
        let elsewhere = SimulatedNetwork.endpoint(9)
        #expect(dialer.target(tries: 1, endpoint: elsewhere) { _ in false } == elsewhere)
        #expect((1...4).map { dialer.target(tries: $0, endpoint: nil) { $0.isIPv4 } } == [c, c, c, c])
        #expect(dialer.target(tries: 1, endpoint: nil) { _ in true } == nil)
    }

    @Test func anEmptyAnswerKeepsWhatWasKnown() {
        var dialer = makeDialer()
        dialer.resolve(now: .zero)
        dialer.answered(host: "x", port: 1, [])
        #expect(dialer.isWaiting && dialer.addresses.map(\.address) == [a, b, c])
    }

    @Test func restsLongerEachTime() {
        var dialer = makeDialer()
        var jitter = Seed(1)
        func pause() -> Double {
            guard case .resting(let until) = dialer.state else { return 0 }
            return Double(until.nanoseconds) / 1e9
        }
        for expected in [30, 60, 120, 240, 300, 300] as [Double] {
            dialer.rest(now: .zero, jitter: &jitter)
            #expect((expected * 0.8...expected * 1.2).contains(pause()))
        }
        dialer.connected()
        #expect(dialer.state == .idle)
        dialer.rest(now: .zero, jitter: &jitter)
        #expect((24.0...36.0).contains(pause()))
    }
}
