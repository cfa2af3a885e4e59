internal import Synchronization

/// A field that makes the compiler use a value in place.
///
/// The compiler copies a large bitwise-movable value to the stack for each method and getter that
/// only reads it, even a noncopyable one: 1 to 3 kB several times per datagram. A value that
/// contains an atomic must stay at its address.
public struct Pin: ~Copyable, Sendable {
    private let atom = Atomic<Bool>(false)

    public init() {}
}
