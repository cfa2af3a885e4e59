import PathTelemetry

/// All requests that running processes take.
enum ControlCatalogue {
    private static let name = ControlRequest.Argument(name: "NAME", meaning: "of a path")

    private static func setting(
        _ setting: ControlAction.PathSetting, _ value: String, _ effect: String
    ) -> ControlRequest {
        ControlRequest(
            words: ["path", setting.rawValue],
            arguments: [name, ControlRequest.Argument(name: value, meaning: "or none")],
            effect: effect, processes: ["forward"],
            action: { .setPath($0[0], setting, $0[1]) })
    }

    static let requests: [ControlRequest] = [
        ControlRequest(
            words: ["reload"], effect: "Reads the configuration file again.",
            processes: ["forward", "serve"], action: { _ in .reload }),
        ControlRequest(
            words: ["path", "add"],
            arguments: [.init(name: "SPEC", meaning: "as --path takes it")],
            effect: "Opens one more path.", processes: ["forward"],
            action: { .addPath($0[0]) }),
        ControlRequest(
            words: ["path", "remove"], arguments: [name],
            effect: "Removes a path; what was under way on it goes over others.",
            processes: ["forward"], action: { .removePath($0[0]) }),
        setting(.limit, "RATE", "Changes the highest rate of a path, as 20mbit."),
        setting(.cap, "CAP", "Changes the cap of a path, as 50GB/month or 50GB/month,hard."),
        setting(.weight, "NUMBER", "Changes the share of a path for the policy weighted."),
        setting(.price, "NUMBER", "Changes the price of 10^9 bytes on a path."),
        ControlRequest(
            words: ["policy", "back"],
            effect: "Goes back to the policy, or model, before the latest change.",
            processes: ["forward", "serve"], action: { _ in .formerPolicy }),
        ControlRequest(
            words: ["policy"], arguments: [.init(name: "POLICY", meaning: "as --policy takes it")],
            effect: "Changes the policy, or its model; nothing is dropped.",
            processes: ["forward", "serve"], action: { .policy($0[0]) }),
        ControlRequest(
            words: ["shadow"],
            arguments: [.init(name: "POLICY", meaning: "as --shadow takes it, or none")],
            effect: "Estimates from now on what this policy would achieve.",
            processes: ["forward", "serve"], action: { .shadow($0[0]) }),
        ControlRequest(
            words: ["promote"],
            effect: "Has the policy in the shadow decide, and the other be the shadow.",
            processes: ["forward", "serve"], action: { _ in .promote }),
        ControlRequest(
            words: ["rollback"], effect: "Goes back to the policies before 'promote'.",
            processes: ["forward", "serve"], action: { _ in .rollback }),
        ControlRequest(
            words: ["forward", "add"],
            arguments: [.init(name: "FORWARD", meaning: "as 'pathwise forward' takes it")],
            effect: "Forwards one more port.", processes: ["forward"],
            action: { .addForward($0[0]) }),
        ControlRequest(
            words: ["forward", "remove"],
            arguments: [.init(name: "FORWARD", meaning: "as it was given")],
            effect: "Ends a forward; its open connections go on.", processes: ["forward"],
            action: { .removeForward($0[0]) }),
        ControlRequest(
            words: ["client", "allow"],
            arguments: [
                .init(name: "NAME", meaning: "of a client"),
                .init(name: "KEY", meaning: "its public key"),
                .init(name: "OPTION", meaning: "as in the file 'clients'", isRest: true),
            ], effect: "Admits a client: adds its line to the file 'clients'.",
            processes: ["serve"],
            action: {
                .allowClient(name: $0[0], key: $0[1], words: Array($0.dropFirst(2)))
            }),
        ControlRequest(
            words: ["client", "revoke"], arguments: [.init(name: "NAME", meaning: "of a client")],
            effect: "Removes the line of a client, which cuts it off.", processes: ["serve"],
            action: { .revokeClient($0[0]) }),
        ControlRequest(
            words: ["record", "start"],
            arguments: [.init(name: "FILE", meaning: "as --record takes it")],
            effect: "Records decisions and outcomes to a new trace.",
            processes: ["forward", "serve"], action: { .record($0[0]) }),
        ControlRequest(
            words: ["record", "stop"], effect: "Completes the trace.",
            processes: ["forward", "serve"], action: { _ in .stopRecording }),
    ]

    /// The action of a request.
    ///
    /// - Parameters:
    ///   - words: of the request.
    ///   - process: the command that is asked; nil for any.
    static func action(
        of words: [String], for process: String? = nil
    ) throws(CommandFailure) -> ControlAction {
        guard let request = requests.first(where: { words.starts(with: $0.words) }) else {
            let known = requests.map { $0.words.joined(separator: " ") }
            let asked = words.prefix(2).joined(separator: " ")
            let near = NearestName.find(asked, among: known).map { "; did you mean '\($0)'?" }
            throw CommandFailure(
                "no request is called '\(EscapedText(String(asked.prefix(40))))'"
                    + (near ?? "; 'pathwise control --help' lists them"), .usage)
        }
        let given = Array(words.dropFirst(request.words.count))
        let fixed = request.arguments.count { !$0.isRest }
        guard given.count >= fixed, given.count == fixed || fixed < request.arguments.count,
            let action = request.action(given)
        else {
            throw CommandFailure("write: pathwise control \(request.usage)", .usage)
        }
        if let process, !request.processes.contains(process) {
            throw CommandFailure(
                "'\(process)' does not take '\(request.words.joined(separator: " "))', which is for "
                    + "'\(request.processes.joined(separator: "' and '"))'", .usage)
        }
        return action
    }
}
