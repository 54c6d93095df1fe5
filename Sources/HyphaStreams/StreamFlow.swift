public import HyphaBase

/// Which class of a queue a flow belongs to.
public enum StreamFlow {
    /// 0 to 63, the same for all packets from `source` to `destination` under one key.
    public static func number(_ source: IPv6Address, _ destination: IPv6Address, key: UInt64) -> Int {
        var hash = mix(key, source.high)
        hash = mix(hash, source.low)
        hash = mix(hash, destination.high)
        hash = mix(hash, destination.low)
        return Int(truncatingIfNeeded: (hash &* 0xD6E8_FEB8_6659_FD93) &>> 58)
    }

    private static func mix(_ hash: UInt64, _ word: UInt64) -> UInt64 {
        let product = (hash ^ word) &* 0x9E37_79B9_7F4A_7C15
        return product ^ product &>> 32
    }
}
