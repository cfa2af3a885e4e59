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
        await withCheckedContinuation { continuation in
            let isAsked = NameLookup.shared.ask(
                for: NameLookup.Asker(of: client, host: target.host)
            ) {
                continuation.resume(returning: lookUp(target, rules: rules))
            }
            if !isAsked {
                let result = ForwardResult(.limitReached, "too many names are being looked up")
                continuation.resume(returning: .failure(Refusal(result: result)))
            }
        }
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
                DescriptorLimit.shortage(of: rules == nil ? .client : .server)
                ?? ForwardResult(.nameNotFound, "\(error)")
            return .failure(Refusal(result: result))
        }
        if let address = addresses.first(where: { rules?.allowConnecting(to: $0) ?? true }) {
            return .success(address)
        }
        return .failure(
            Refusal(result: ForwardRules.denial(of: target, "datagrams to \(target)")))
    }
}
