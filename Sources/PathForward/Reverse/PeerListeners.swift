internal import PathNetwork
internal import PathTelemetry
internal import PathTransport
internal import Pathwise
internal import Synchronization

/// The listeners that this side has for one peer, in all its sessions.
///
/// A process that was killed leaves its session behind, with the listeners, until somebody notices. The
/// next session of the same peer takes their addresses over at once. *Any thread.*
final class PeerListeners: Sendable {
    /// What a listener is known by: the peer asks for the same one again.
    struct Place: Hashable, Sendable {
        let transport: Opening.Transport
        let address: SocketAddress
    }

    private struct Holder: Sendable {
        let session: Session
        /// Returns when the address is free.
        let close: @Sendable () async -> Void
    }

    private let holders = Mutex<[Place: Holder]>([:])
    /// How long the earlier session has to answer: three round trips within these bounds.
    private static let patience = (shortest: TimeDelta.seconds(1), longest: TimeDelta.seconds(4))
    /// How long a listener may take to end whose lease has ended.
    private static let ending = TimeDelta.milliseconds(250)
    private static let pause = Duration.milliseconds(10)

    /// Notes a listener.
    ///
    /// - Parameters:
    ///   - place: where it listens.
    ///   - session: for which it listens.
    ///   - close: ends it, and returns when its address is free.
    func add(
        _ place: Place, of session: Session, close: @escaping @Sendable () async -> Void
    ) {
        holders.withLock { $0[place] = Holder(session: session, close: close) }
    }

    /// Forgets a listener that has ended, unless another session has taken its address over.
    func remove(_ place: Place, of session: Session) {
        holders.withLock { holders in
            if holders[place]?.session === session { holders[place] = nil }
        }
    }

    /// Frees an address that an earlier session of the peer holds, if that does not answer any more.
    ///
    /// - Parameters:
    ///   - place: that is in use.
    ///   - session: that asks for it.
    /// - Returns: whether the address may be free now.
    func takeOver(_ place: Place, for session: Session) async -> Bool {
        guard let holder = holders.withLock({ $0[place] }) else { return false }
        if holder.session === session { return await hasEnded(place, of: session) }
        guard await isSilent(holder.session) else { return false }
        remove(place, of: holder.session)
        await holder.close()
        return true
    }

    /// Whether a listener of the same session ends now, because the peer replaces it.
    private func hasEnded(_ place: Place, of session: Session) async -> Bool {
        let asked = MonotonicClock.now()
        while MonotonicClock.now() - asked < PeerListeners.ending {
            let isThere = holders.withLock { $0[place]?.session === session }
            if !isThere { return true }
            guard (try? await Task.sleep(for: PeerListeners.pause)) != nil else { return false }
        }
        return false
    }

    /// Asks an earlier session whether its peer is still there.
    private func isSilent(_ session: Session) async -> Bool {
        let asked = ContinuousClock.now
        let (shortest, longest) = PeerListeners.patience
        let roundTrip = session.status().paths.map(\.snapshot.smoothedRTT).max() ?? .zero
        let patience = min(max(roundTrip * Int64(3), shortest), longest).duration
        session.probe()
        while asked.duration(to: .now) < patience {
            if session.closeReason != nil { return true }
            guard (try? await Task.sleep(for: PeerListeners.pause)) != nil else { return false }
            if session.health().silence < asked.duration(to: .now) { return false }
        }
        return true
    }
}
