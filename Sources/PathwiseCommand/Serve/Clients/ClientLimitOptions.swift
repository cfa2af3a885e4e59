import ArgumentParser
import PathTelemetry
import Pathwise

/// Limits of each client whose line in `clients` says nothing else.
struct ClientLimitOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Limit of each client's forwards, both ways together, as 20mbit.", valueName: "rate"))
    var clientRate: String?

    @Option(
        help: ArgumentHelp(
            "Bytes of each client's forwards, as 50GB/month.",
            valueName: "cap"))
    var clientCap: String?

    @Option(
        help: ArgumentHelp("Flows of each client at once (default: 4096).", valueName: "number"))
    var clientFlows: String?

    /// The limits, checked.
    func limits() throws(CommandFailure) -> UsualLimits {
        var limits = UsualLimits()
        do throws(SyntaxProblem) {
            if let clientRate { limits.rate = try RateArgument.bytesPerSecond(clientRate) }
        } catch {
            throw CommandFailure("--client-rate '\(clientRate ?? "")': \(error)", .usage)
        }
        do throws(SyntaxProblem) {
            if let clientCap { limits.cap = try ByteCap(argument: clientCap) }
        } catch {
            throw CommandFailure("--client-cap: \(error)", .usage)
        }
        do throws(SyntaxProblem) {
            if let clientFlows { limits.flows = try ClientLimitArgument.flows(clientFlows) }
        } catch {
            throw CommandFailure("--client-flows \(error)", .usage)
        }
        return limits
    }
}

/// What a client may use if its line says nothing else.
struct UsualLimits: Equatable, Sendable {
    /// Bytes per second; nil for no limit.
    var rate: Double?
    var cap: ByteCap?
    var flows = 4096
}

/// The number of flows of a client.
enum ClientLimitArgument {
    static func flows(_ text: String) throws(SyntaxProblem) -> Int {
        guard let flows = Int(text), (1...65_536).contains(flows) else {
            throw SyntaxProblem("'\(text)': write a whole number, 1 to 65536")
        }
        return flows
    }
}
