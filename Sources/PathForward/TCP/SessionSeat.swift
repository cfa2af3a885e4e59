internal import Pathwise
internal import Synchronization

/// The session that forwards use now, if there is one.
///
/// *Any thread.*
final class SessionSeat: Sendable {
    private let current = Mutex<Session?>(nil)

    var session: Session? { current.withLock { $0 } }

    /// Replaces the session; nil if there is none.
    func set(_ session: Session?) { current.withLock { $0 = session } }
}
