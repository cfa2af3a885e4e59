internal import Glibc
internal import PathNetwork
internal import PathTelemetry
internal import PathTransport
internal import Pathwise

/// A stream that the peer opened, and the connection that this side makes for it.
///
/// It answers the opening when the connection is made or has failed. *Loop's turn.*
final class TargetFlow: PumpedFlow {
    /// Time for the name and all addresses together.
    static let patience = NameLookup.patience

    private let target: ForwardTarget
    /// Decides which addresses of the target may be used; nil for a target of this side's own.
    private let rules: ForwardRules?
    private let allowance: Allowance?
    /// Bytes of the stream behind the opening.
    private var early: [UInt8]
    /// Addresses that are still to be tried.
    private var addresses: [SocketAddress] = []
    private var connecting: TCPSocket?
    /// The address of the latest attempt.
    private var address: SocketAddress?
    private var isWritable = false
    private var endOfPatience = Instant.distantFuture
    private var failure = ForwardResult(.unreachable)

    init(
        target: ForwardTarget, rules: ForwardRules?, early: [UInt8], allowance: Allowance?,
        record: FlowRecord, ledger: FlowLedger
    ) {
        self.target = target
        self.rules = rules
        self.early = early
        self.allowance = allowance
        super.init(record: record, ledger: ledger)
    }

    /// Joins the loop, and looks the target up.
    func start(_ stream: SessionStream, _ loop: FlowLoop) {
        loop.add(self)
        observe(stream, loop)
        endOfPatience = loop.now + TargetFlow.patience
        setDeadline(endOfPatience, loop)
        if let shortage = DescriptorLimit.shortage(of: side) { return refuse(shortage, loop) }
        if let address = target.address, rules?.hasNames != true {
            return handle(lookup: TargetFlow.permitted([address], of: target, rules), loop)
        }
        let (target, rules) = (target, rules)
        let box = LoopBox(self)
        let asker = NameLookup.Asker(of: allowance, host: target.host)
        let end = endOfPatience
        let isAsked = NameLookup.shared.ask(for: asker) { [weak loop, side] in
            // The flow has given up, and nobody waits for the name.
            guard MonotonicClock.now() < end else { return }
            let result = TargetFlow.lookUp(target, rules, side)
            loop?.run { loop in box.value.handle(lookup: result, loop) }
        }
        if !isAsked { refuse(ForwardResult(.limitReached, "too many names to look up"), loop) }
    }

    private var side: DescriptorLimit.Side { DescriptorLimit.Side(hasRules: rules != nil) }

    /// The addresses that may be connected to, or why there is none.
    private typealias Lookup = Result<[SocketAddress], Refusal>

    private struct Refusal: Error {
        let result: ForwardResult
    }

    /// Blocks.
    private static func lookUp(
        _ target: ForwardTarget, _ rules: ForwardRules?, _ side: DescriptorLimit.Side
    ) -> Lookup {
        do throws(NetworkError) {
            return permitted(
                try Resolver.resolve(host: target.host, port: target.port), of: target, rules)
        } catch {
            // The resolver needs descriptors, too, and does not say that it had none.
            let result =
                DescriptorLimit.shortage(of: side)
                ?? ForwardResult(.nameNotFound, "\(target.host) has no address")
            return .failure(Refusal(result: result))
        }
    }

    private static func permitted(
        _ addresses: [SocketAddress], of target: ForwardTarget, _ rules: ForwardRules?
    ) -> Lookup {
        guard let rules else { return .success(addresses) }
        let allowed = addresses.filter { rules.allowConnecting(to: $0) }
        guard allowed.isEmpty else { return .success(allowed) }
        let text = addresses.map { "\($0)" }.joined(separator: ", ")
        return .failure(Refusal(result: rules.denial(of: target, at: addresses, text)))
    }

    private func handle(lookup: Lookup, _ loop: FlowLoop) {
        guard !isOver else { return }
        switch lookup {
        case .success(let found):
            addresses = found
            connectNext(loop)
        case .failure(let refusal): refuse(refusal.result, loop)
        }
    }

    // MARK: connecting

    private func connectNext(_ loop: FlowLoop) {
        connecting = nil
        isWritable = false
        while !addresses.isEmpty {
            let address = addresses.removeFirst()
            self.address = address
            do throws(NetworkError) {
                let socket = try TCPSocket.connect(to: address)
                guard loop.watch(socket.descriptor, for: self) else { continue }
                connecting = consume socket
                let rest = endOfPatience - loop.now
                let share = rest / Int64(addresses.count + 1)
                setDeadline(min(endOfPatience, loop.now + max(.milliseconds(500), share)), loop)
                return
            } catch {
                note(failure: error.code ?? EHOSTUNREACH)
            }
        }
        refuse(failure, loop)
    }

    /// Remembers why an address failed; that a host refused says more than that others are far.
    private func note(failure code: Int32) {
        if let shortage = DescriptorLimit.result(of: code, side) {
            failure = shortage
            return
        }
        let kind: ForwardResult.Code =
            switch code {
            case ECONNREFUSED: .refused
            case ETIMEDOUT: .timedOut
            case ENOBUFS, ENOMEM, EADDRNOTAVAIL: .limitReached
            case EACCES, EPERM: .denied
            default: .unreachable
            }
        if failure.code == .refused { return }
        let place = address.map { "\($0)" } ?? "\(target)"
        failure = ForwardResult(kind, "\(place): \(NetworkError.text(of: code))")
    }

    override func note(readable: Bool, writable: Bool, fault: Bool) {
        if connecting != nil {
            if writable || fault { isWritable = true }
        } else {
            super.note(readable: readable, writable: writable, fault: fault)
        }
    }

    override func takeTurn(_ loop: FlowLoop) {
        if isStopped, pump == nil {
            connecting = nil
            return breakFlow(loop, hasFailed: true)
        }
        if pump != nil { return runPump(loop) }
        guard connecting != nil else {
            // The name server does not answer.
            if loop.now >= deadline {
                refuse(ForwardResult(.timedOut, "no answer about \(target.host)"), loop)
            }
            return
        }
        if isWritable {
            isWritable = false
            if let code = connecting?.pendingError {
                note(failure: code)
                return connectNext(loop)
            }
            return begin(loop)
        }
        if loop.now >= deadline {
            note(failure: ETIMEDOUT)
            if loop.now >= endOfPatience { addresses = [] }
            connectNext(loop)
        }
    }

    private func begin(_ loop: FlowLoop) {
        guard let socket = connecting.take(), let stream else { return }
        setDeadline(.distantFuture, loop)
        var pump = Pump(socket: socket, stream: stream, record: record, allowance: allowance)
        pump.send(ForwardResult(.ok, address.map { "\($0)" } ?? "").encoded(), isPayload: false)
        pump.prepend(early)
        record.countReceived(early.count)
        early = []
        self.pump = consume pump
        runPump(loop)
    }

    private func refuse(_ result: ForwardResult, _ loop: FlowLoop) {
        connecting = nil
        // Counted first: who reads the answer finds the refusal in the counts.
        ledger.end(record, failure: result)
        if let stream { TargetFlow.answer(stream, result) }
        finish(loop)
    }

    /// Answers an opening that fails, and ends the stream.
    static func answer(_ stream: SessionStream, _ result: ForwardResult) {
        _ = result.encoded().withUnsafeBytes { stream.writeAvailable($0) }
        try? stream.finish()
    }
}
