/// What the errno values that end or prevent a TCP connection mean. Linux's numbers, the same on x86-64 and 64-bit ARM.
public enum SystemErrorText {
    /// A few words for people.
    public static func describe(_ code: UInt32) -> String {
        switch code {
        case 1, 13: "not permitted"
        case 12: "out of memory"
        case 22: "invalid address"
        case 23, 24: "too many open files"
        case 32: "broken connection"
        case 97: "address family not supported"
        case 99: "no local address for it"
        case 100: "network down"
        case 101: "network unreachable"
        case 103: "connection aborted"
        case 104: "connection reset by peer"
        case 105: "no buffer space"
        case 110: "timed out"
        case 111: "connection refused"
        case 112: "host down"
        case 113: "host unreachable"
        case 125: "given up"
        default: "error \(code)"
        }
    }
}
