import Synchronization

/// A field that makes the compiler use a value where it lies.
///
/// A large value whose bits may be moved is copied to the stack for each method and getter that
/// only reads it, 1 to 3 kB several times a datagram, though the language knows it as one that
/// cannot be copied. A value with an atomic in it must stay at its address.
struct Pin: ~Copyable {
    private let atom = Atomic<Bool>(false)
}
