public import PathLearning
public import PathTelemetry

/// What a user may change of a connection that runs: the traits of its paths, whether it records, and
/// the policy in the shadow.
extension Connection {
    /// Makes a path standby, as its trait `isBackup` does, or active again, and tells the peer.
    ///
    /// Only a client calls this; a path that is added later has the traits that it is given.
    public mutating func setStandby(_ path: PathID, _ isStandby: Bool, now: Instant) {
        guard let index = index(of: path) else { return }
        var traits = paths[index].traits
        traits.isBackup = isStandby
        setTraits(path, traits, now: now)
    }

    /// Changes the traits of a path from the next packet on, and tells the peer whether it is standby.
    ///
    /// Only a client calls this. Packets in flight, congestion control and what was learned stay.
    ///
    /// - Parameters:
    ///   - path: one that exists.
    ///   - traits: from now on.
    ///   - local: the address of the path's socket, for recordings.
    ///   - now: the time.
    public mutating func setTraits(
        _ path: PathID, _ traits: PathTraits, local: SocketAddress? = nil, now: Instant
    ) {
        guard !isServer, let index = index(of: path), paths[index].isAlive else { return }
        let former = paths[index].traits
        guard former != traits else { return }
        paths[index].traits = traits
        if former.rateLimit != traits.rateLimit {
            paths[index].recovery.setRateLimit(traits.rateLimit, now: now)
        }
        var plain = former
        plain.isBackup = traits.isBackup
        if plain != traits {
            news.journal.note(&paths[index], isServer: false, local: local, now: now)
        }
        guard former.isBackup != traits.isBackup else { return }
        paths[index].statusToSend = paths[index].ownStatus
        if paths[index].isUsable {
            paths.change(index, to: paths[index].workingState, .ownRequest, now, &news)
        }
    }

    /// Begins to record with the paths that exist, or stops.
    ///
    /// What was recorded and not drained yet stays to be drained.
    ///
    /// - Parameters:
    ///   - isRecording: from now on.
    ///   - local: the address of a socket by its number, for the paths of a client.
    ///   - now: the time.
    public mutating func setRecording(
        _ isRecording: Bool, local: (Int) -> SocketAddress? = { _ in nil }, now: Instant
    ) {
        guard news.journal.setOpen(isRecording, now: now), isRecording else { return }
        for index in paths.indices where paths[index].isAlive {
            paths[index].wasRecorded = false
            paths[index].isUnrecorded = true
            news.journal.note(
                &paths[index], isServer: isServer, local: local(paths[index].socket), now: now)
        }
    }

    // MARK: the shadow

    /// Judges decisions from now on by another judge, or no more; nothing that is sent depends on it.
    public mutating func setJudge(_ judge: DecisionJudge?) { session.engine.setJudge(judge) }

    /// The policy that decides.
    public var policy: PolicySpecification { session.engine.specification }

    /// The policy in the shadow and the hash of its model; nil without one.
    public var shadow: (policy: PolicySpecification, modelHash: UInt64)? { session.engine.shadow }

    /// Whether decisions are judged.
    public var isJudged: Bool { session.engine.isJudged }

    /// Lets the policy in the shadow decide, and the one that decided be the shadow, between two
    /// decisions; an event reports it.
    ///
    /// Both keep what they have learned. Packets in flight, queues and congestion control are not
    /// affected. A former policy that cannot be in the shadow is gone.
    ///
    /// - Returns: false without a shadow; then nothing has changed.
    public mutating func promoteShadow(now: Instant) -> Bool {
        guard let isOther = session.engine.promoteShadow() else { return false }
        paths.boundPath = needs.boundPath
        news.events.append(
            .modelReplaced(hash: modelHash, policy: isOther ? policyName : nil, at: now))
        return true
    }
}
