internal import Glibc

/// How many files, sockets among them, the process may have open: each TCP link is one.
enum OpenFileLimit {
    /// What a node has open beside its links: standard streams, TUN, rings, events, key and state files, name look-ups.
    static let beside = 64

    /// Raises the soft limit to the hard one; returns what holds now.
    static func raise() -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return .max }
        let soft = limit.rlim_cur
        limit.rlim_cur = limit.rlim_max
        let isRaised = soft >= limit.rlim_max || setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0
        return Int(clamping: isRaised ? limit.rlim_max : soft)
    }

    /// What to tell the user when `limit` is too low for `links` TCP links and `sockets` listeners; nil when it will do.
    static func warning(limit: Int, links: Int, sockets: Int) -> String? {
        let needed = links + sockets + beside
        guard limit < needed else { return nil }
        return "only \(limit) files may be open, \(links) TCP links need \(needed): raise the limit (ulimit -Hn, "
            + "LimitNOFILE= of the service) or lower limits.max_tcp_links; connections above it are refused"
    }
}
