public import PathLearning
internal import PathNetwork
internal import PathTransport

/// Policies that do not decide, and whose results are estimated; see `SessionStatus.judgement`.
extension Session {
    /// Judges decisions from now on for others, or no more; nothing that is sent depends on it.
    ///
    /// Estimates begin anew.
    public func setJudging(_ judging: Judging) {
        let judge = DecisionJudge(judging)
        link.with { connection, _ in connection.setJudge(judge) }
        core.endJudgement()
    }

    /// Lets the policy in the shadow decide, between two decisions and without losing a packet, and the
    /// one that decided be the shadow: to do it again takes it back.
    ///
    /// Both go on with what they have learned. A trace that is being recorded gets another session,
    /// because each has one policy. Estimates begin anew.
    ///
    /// - Parameter expected: promotes nothing else; nil promotes what there is.
    /// - Returns: false without that shadow; then nothing has changed.
    public func promoteShadow(_ expected: ShadowPolicy? = nil) -> Bool {
        policy.withLock { policy in
            // Only this changes the shadow besides `setJudging`, so what is read here holds below.
            let shadow = link.read { connection, _ in connection.shadow }
            guard let shadow else { return false }
            if let expected {
                guard shadow.policy == expected.specification,
                    shadow.modelHash == expected.modelHash
                else { return false }
            }
            var isDone = false
            link.setRecording { connection in
                isDone = connection.promoteShadow(now: MonotonicClock.now())
                if isDone { policy = connection.policy }
                return record(connection, with: core.place)
            }
            return isDone
        }
    }
}
