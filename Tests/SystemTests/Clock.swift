import Foundation

/// Waiting with an end.
enum Clock {
    /// Seconds since 1970, as ping prints them.
    static var now: Double { Date().timeIntervalSince1970 }

    static func pause(_ seconds: Double) { Thread.sleep(forTimeInterval: seconds) }

    /// Asks again and again until there is an answer or `seconds` are over.
    static func wait<Answer>(_ seconds: Double, _ ask: () throws -> Answer?) rethrows -> Answer? {
        let end = ProcessInfo.processInfo.systemUptime + seconds
        while true {
            if let answer = try ask() { return answer }
            if ProcessInfo.processInfo.systemUptime >= end { return nil }
            pause(0.02)
        }
    }
}
