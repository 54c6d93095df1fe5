/// A descriptor that the control thread can sleep on beside its own. Whoever gives it away keeps it open while it is
/// slept on.
public struct WaitDescriptor: Sendable {
    let number: Int32
}
