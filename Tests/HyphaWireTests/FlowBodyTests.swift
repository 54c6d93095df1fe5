import HyphaBase
import HyphaWire
import TestVectors
import Testing

@Suite struct FlowBodyTests {
    @Test func paddingFillsSmallPlaintextsToSixteen() {
        for length in 1...2_000 {
            let pad = FlowBody.padding(length)
            #expect((0..<16).contains(pad))
            if length < 256 {
                #expect((length + pad) % 16 == 0)
            } else {
                #expect(pad == 0)
            }
        }
    }

    @Test func sizesAreThoseOfTheVectors() throws {
        let vectors = try WireVector.all(kind: "he1").filter { $0.verdict == "accept" && $0.number("kind") == 0 }
        var checked = 0
        for vector in vectors {
            guard let inner = vector.bytes("inner"), let text = vector.fields["plaintext"] as? String,
                let plain = Hex.decode(text), let pad = vector.fields["pad"] as? Int
            else { continue }
            #expect(FlowBody.bodySize(innerLength: inner.count) == plain.count + FlowBody.tagSize, "\(vector.name)")
            #expect(RoutingHeader.size + FlowBody.bodySize(innerLength: inner.count) == vector.output.count)
            #expect(FlowBody.padding(plain.count - pad) == pad)
            #expect(FlowBody.contentLength(first: plain[0], length: plain.count) == plain.count - 1 - pad)
            #expect(plain[0] & 15 == FlowBody.Kind.ipv6.rawValue)
            checked += 1
        }
        #expect(checked > 30)
    }

    /// For every first byte and length: what is left between the first byte and the pad, or nothing when they overlap.
    @Test func contentIsWhatIsNeitherKindNorPad() {
        for first in UInt8(0)...255 {
            for length in 1...40 {
                let left = length - 1 - Int(first) / 16
                #expect(FlowBody.contentLength(first: first, length: length) == (left < 0 ? nil : left))
            }
        }
    }

    @Test func fourBitsHoldEveryPad() {
        for length in 1...256 { #expect(FlowBody.padding(length) <= 15) }
        #expect(FlowBody.elidedSize == 6)
    }
}
