package import PathTelemetry
internal import Synchronization

/// What one client may use of a service.
package struct ClientLimits: Hashable, Sendable {
    /// Flows at once.
    package var flows: Int
    /// Payload of all flows in both directions, bytes per second; nil for no limit.
    package var bytesPerSecond: Double?
    /// Payload of all flows in both directions, bytes; nil for no limit.
    package var byteCap: UInt64?

    package init(flows: Int = 4096, bytesPerSecond: Double? = nil, byteCap: UInt64? = nil) {
        self.flows = flows
        self.bytesPerSecond = bytesPerSecond
        self.byteCap = byteCap
    }
}

/// The payload that one client may still move: a token bucket and a cap.
///
/// All sessions of a client share one, so that a new session brings no new allowance. *Any thread.*
package final class Allowance: Sendable {
    private struct State {
        var limits: ClientLimits
        /// Tokens, bytes; below zero after a datagram that was larger than what was left.
        var tokens: Double
        var filledAt: Instant
        /// Payload that was stored elsewhere, and what came since then, bytes.
        var stored: UInt64
        var fresh: UInt64 = 0

        var used: UInt64 { stored.addingReportingOverflow(fresh).overflow ? .max : stored + fresh }
    }

    private let state: Mutex<State>
    /// The listeners of all sessions of the client.
    let listeners = PeerListeners()
    /// The bucket holds what the rate gives in this time, and one piece at least.
    private static let depth = 0.1

    /// - Parameters:
    ///   - limits: of the client.
    ///   - used: payload that counts already, bytes.
    ///   - now: the time.
    package init(_ limits: ClientLimits, used: UInt64 = 0, now: Instant) {
        state = Mutex(State(limits: limits, tokens: 0, filledAt: now, stored: used))
    }

    /// The limits now.
    package var limits: ClientLimits { state.withLock { $0.limits } }

    /// Changes the limits of all flows, also of those that are open.
    ///
    /// - Parameters:
    ///   - limits: from now on.
    ///   - stored: what counts for the cap, unless it is that of before.
    package func setLimits(_ limits: ClientLimits, stored: UInt64? = nil) {
        state.withLock { state in
            state.limits = limits
            if let stored { state.stored = stored }
        }
    }

    /// The payload so far, bytes.
    package var used: UInt64 { state.withLock { $0.used } }

    /// The payload that was not confirmed yet, bytes.
    package var fresh: UInt64 { state.withLock { $0.fresh } }

    /// Notes that payload was counted elsewhere.
    ///
    /// - Parameters:
    ///   - bytes: of `fresh` that were counted.
    ///   - stored: what counts altogether; it is less than before when a new period has begun.
    package func confirm(_ bytes: UInt64, stored: UInt64) {
        state.withLock { state in
            state.fresh -= min(bytes, state.fresh)
            state.stored = stored
        }
    }

    /// Whether the cap is used up.
    package var isExhausted: Bool {
        state.withLock { state in state.limits.byteCap.map { state.used >= $0 } ?? false }
    }

    /// How many of `wanted` bytes may be moved now; `spend` has to follow.
    package func grant(_ wanted: Int, now: Instant) -> Int {
        state.withLock { state in
            let limits = state.limits
            guard limits.bytesPerSecond != nil || limits.byteCap != nil else { return wanted }
            var granted = wanted
            if let cap = limits.byteCap {
                granted = min(granted, Int(clamping: cap - min(cap, state.used)))
            }
            if let rate = limits.bytesPerSecond {
                let deepest = max(rate * Allowance.depth, 65_536)
                let passed = max(0, Double((now - state.filledAt).nanoseconds) * 1e-9)
                state.tokens = min(deepest, state.tokens + passed * rate)
                state.filledAt = max(now, state.filledAt)
                granted = min(granted, Int(max(0, min(state.tokens, 1e15))))
            }
            return granted
        }
    }

    /// Counts payload that was moved.
    package func spend(_ bytes: Int) {
        state.withLock { state in
            state.fresh &+= UInt64(max(0, bytes))
            if state.limits.bytesPerSecond != nil { state.tokens -= Double(bytes) }
        }
    }

    /// How long until some bytes may be moved again, if `grant` gave none.
    package var pause: TimeDelta {
        guard let rate = limits.bytesPerSecond, rate > 0 else { return .seconds(1) }
        // A fifth of the bucket, so that small pieces do not wake a thread each.
        return TimeDelta(seconds: min(1, max(0.002, min(Allowance.depth / 5, 16_384 / rate))))
    }
}
