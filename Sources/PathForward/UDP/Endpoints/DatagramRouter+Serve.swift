import PathNetwork
import PathTelemetry
import PathTransport
import Pathwise

extension DatagramRouter {
    /// Takes a target and why it is not used.
    typealias RefusalHandler = @Sendable (String, ForwardResult) -> Void
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
    ///   - onRefusal: is told of each target that is not used, and why.
    func serve(
        _ stream: SessionStream, to target: ForwardTarget?, options: FlowOptions,
        rules: RulesNow?, limits: DatagramLimits = DatagramLimits(),
        onRefusal: @escaping RefusalHandler = { _, _ in }
    ) async {
        if let target {
            if let refusal = await serve(stream, target, options, rules, limits) {
                onRefusal("\(target)", refusal)
                await DatagramRouter.answer(stream, refusal)
            }
        } else {
            await serveAny(stream, options, rules, limits, onRefusal)
        }
        stream.cancel(code: 0)
    }

    /// Returns when the flow has ended, or at once with the answer if it is refused.
    private func serve(
        _ stream: SessionStream, _ target: ForwardTarget, _ options: FlowOptions,
        _ rules: RulesNow?, _ limits: DatagramLimits
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
        await run(socket.flow, stream, limits, answer: ForwardResult(.ok, "\(address)"))
        socket.close()
        return nil
    }

    private func serveAny(
        _ stream: SessionStream, _ options: FlowOptions, _ rules: RulesNow?,
        _ limits: DatagramLimits, _ onRefusal: @escaping RefusalHandler
    ) async {
        let side = DescriptorLimit.Side(hasRules: rules != nil)
        if let shortage = DescriptorLimit.shortage(of: side) {
            onRefusal("any", shortage)
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
                    onRefusal("\(target)", refusal.result)
                    return nil
                }
            }
        } catch {
            await DatagramRouter.answer(stream, ForwardResult(.limitReached, "\(error)"))
            return
        }
        let flow = targets.begin(now: MonotonicClock.now())
        await run(flow, stream, limits, answer: ForwardResult(.ok))
        targets.close()
    }

    /// Answers, and lets the flow live until the peer ends the stream or it is idle for too long.
    private func run(
        _ flow: DatagramFlow, _ stream: SessionStream, _ limits: DatagramLimits,
        answer: ForwardResult
    ) async {
        let number = stream.id.rawValue
        let watch = Task { await DatagramRouter.drain(stream) }
        flow.begin(number, stream) { watch }
        if adopt(number, flow, limit: limits.flowsOfSession, now: MonotonicClock.now()) {
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
