import PathNetwork
import PathTelemetry
import PathTransport
import Pathwise

extension DatagramRouter {
    /// The rules at the moment of the question, as they may change while a flow is open.
    typealias RulesNow = @Sendable () -> ForwardRules

    /// Serves a flow of datagrams that the peer opened, and returns when it has ended.
    ///
    /// The caller has read the opening. This answers it, and ends the stream.
    ///
    /// - Parameters:
    ///   - stream: of the opening; its number is the flow's.
    ///   - target: where the datagrams go; nil lets each name its own.
    ///   - rules: what the peer may reach now; nil if this side chose the target itself.
    ///   - limits: of its flows.
    ///   - ledger: counts the flow, and each target that is not used.
    func serve(
        _ stream: SessionStream, to target: ForwardTarget?, options: FlowOptions,
        rules: RulesNow?, limits: DatagramLimits = DatagramLimits(), countedIn ledger: FlowLedger
    ) async {
        if let target {
            let refusal = await serveTarget(target, stream, options, rules, limits, ledger)
            if let refusal {
                DatagramRouter.note(refusal, of: "\(target)", options, ledger)
                await DatagramRouter.answer(stream, refusal)
            }
        } else {
            await serveAny(stream, options, rules, limits, ledger)
        }
        stream.cancel(code: 0)
    }

    private static func note(
        _ refusal: ForwardResult, of target: String, _ options: FlowOptions, _ ledger: FlowLedger
    ) {
        ledger.refuse(
            FlowRecord(.udp, source: "peer", target: target, flowClass: options.datagramClass),
            refusal)
    }

    /// Returns when the flow has ended, or at once with the answer if it is refused.
    private func serveTarget(
        _ target: ForwardTarget, _ stream: SessionStream, _ options: FlowOptions,
        _ rules: RulesNow?, _ limits: DatagramLimits, _ ledger: FlowLedger
    ) async -> ForwardResult? {
        let side = DescriptorLimit.Side(hasRules: rules != nil)
        if let shortage = DescriptorLimit.shortage(of: side) { return shortage }
        let address: SocketAddress
        switch await TargetCheck.address(of: target, rules: rules?(), for: allowance) {
        case .success(let found): address = found
        case .failure(let refusal): return refusal.result
        }
        let socket: TargetSocket
        do throws(NetworkError) {
            socket = try TargetSocket(address, options: options, router: self, limits: limits)
        } catch {
            return error.code.flatMap { DescriptorLimit.result(of: $0, side) }
                ?? ForwardResult(.unreachable, "\(error)")
        }
        await run(socket.flow, stream, limits, ledger, answer: ForwardResult(.ok, "\(address)"))
        socket.close()
        return nil
    }

    private func serveAny(
        _ stream: SessionStream, _ options: FlowOptions, _ rules: RulesNow?,
        _ limits: DatagramLimits, _ ledger: FlowLedger
    ) async {
        let side = DescriptorLimit.Side(hasRules: rules != nil)
        if let shortage = DescriptorLimit.shortage(of: side) {
            DatagramRouter.note(shortage, of: "any", options, ledger)
            return await DatagramRouter.answer(stream, shortage)
        }
        let targets: OpenTargets
        do throws(NetworkError) {
            targets = try OpenTargets(options: options, router: self, limits: limits) {
                [allowance] host in
                let target =
                    switch host {
                    case .address(let address): ForwardTarget(address)
                    case .name(let name): name
                    }
                switch await TargetCheck.address(of: target, rules: rules?(), for: allowance) {
                case .success(let address): return address
                case .failure(let refusal):
                    DatagramRouter.note(refusal.result, of: "\(target)", options, ledger)
                    return nil
                }
            }
        } catch {
            await DatagramRouter.answer(stream, ForwardResult(.limitReached, "\(error)"))
            return
        }
        let flow = targets.begin(now: MonotonicClock.now())
        await run(flow, stream, limits, ledger, answer: ForwardResult(.ok))
        targets.close()
    }

    /// Answers, and lets the flow live until the peer ends the stream or it is idle for too long.
    private func run(
        _ flow: DatagramFlow, _ stream: SessionStream, _ limits: DatagramLimits,
        _ ledger: FlowLedger, answer: ForwardResult
    ) async {
        let number = stream.id.rawValue
        let watch = Task { await DatagramRouter.drain(stream) }
        flow.begin(number, stream) { watch }
        let isAdopted = adopt(
            number, flow, limit: limits.flowsOfSession, countedIn: ledger,
            now: MonotonicClock.now())
        if isAdopted {
            try? await stream.write(answer.encoded())
            await withTaskCancellationHandler {
                await watch.value
            } onCancel: {
                watch.cancel()
            }
            forget(number)
        } else {
            await DatagramRouter.answer(
                stream, .limit(limits.flowsOfSession, "flow of datagrams", "flows of datagrams"))
        }
        flow.end(number)
    }

    /// Answers with a refusal, and waits until the peer knows.
    private static func answer(_ stream: SessionStream, _ refusal: ForwardResult) async {
        try? await stream.write(refusal.encoded())
        try? stream.finish()
        await drain(stream)
    }
}
