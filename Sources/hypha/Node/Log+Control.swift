internal import HyphaControl

extension Log {
    /// A line of the control plane. All of them share four kinds, one for each level, and so their rate limits.
    func control(_ level: HyphaControl.LogLevel, _ text: String, key: String) {
        switch level {
        case .error: error("control_error", text)
        case .warning: warning("control_warning", text)
        case .info: info("control", text)
        case .debug: debug("control_debug", text)
        }
    }
}
