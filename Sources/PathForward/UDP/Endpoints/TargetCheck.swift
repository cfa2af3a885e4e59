import PathNetwork
import PathTransport

/// Looks a target of datagrams up and holds its addresses against the rules, which may block.
enum TargetCheck {
    /// Why a target is not used.
    struct Refusal: Error {
        var result: ForwardResult
    }

    /// The first address of a target that the rules allow; without rules the first one.
    ///
    /// - Parameter client: what all sessions of the client have in common; nil for this program.
    static func address(
        of target: ForwardTarget, rules: ForwardRules?, for client: Allowance?
    ) async -> Result<SocketAddress, Refusal> {
        if target.address != nil, rules?.hasNames != true { return lookUp(target, rules: rules) }
        let asker = NameLookup.Asker(of: client, host: target.host)
        let outcome = await NameLookup.shared.answer(for: asker) { lookUp(target, rules: rules) }
        let result: ForwardResult
        switch outcome {
        case .answered(let answer): return answer
        case .late: result = ForwardResult(.timedOut, "no answer about \(target.host)")
        case .refused:
            result = ForwardResult(.limitReached, "too many names are being looked up")
        }
        return .failure(Refusal(result: result))
    }

    private static func lookUp(
        _ target: ForwardTarget, rules: ForwardRules?
    ) -> Result<SocketAddress, Refusal> {
        let addresses: [SocketAddress]
        do throws(NetworkError) {
            addresses = try Resolver.resolve(host: target.host, port: target.port)
        } catch {
            // The resolver needs descriptors, too, and does not say that it had none.
            let result =
                DescriptorLimit.shortage(of: DescriptorLimit.Side(hasRules: rules != nil))
                ?? ForwardResult(.nameNotFound, "\(error)")
            return .failure(Refusal(result: result))
        }
        if let address = addresses.first(where: { rules?.allowConnecting(to: $0) ?? true }) {
            return .success(address)
        }
        let denial = (rules ?? .none).denial(
            of: target, at: addresses, "datagrams to \(target)")
        return .failure(Refusal(result: denial))
    }
}
