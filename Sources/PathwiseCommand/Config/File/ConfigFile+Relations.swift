import PathWatch

/// What values say together.
extension ConfigFile {
    /// Notes values that do not go together, in a file whose values are right one by one.
    mutating func checkRelations() {
        for table in ["forward", "send"] where values["\(table).server"] != nil {
            for key in ["peer", "key"] where values["\(table).\(key)"] != nil {
                refuse(
                    "\(table).\(key)",
                    "'server' stands for 'peer' and 'key'; leave out 'server', or the others")
            }
        }
        for table in ["forward", "send"] where values["\(table).server"] == nil {
            let found = ["peer", "key"].filter { values["\(table).\($0)"] != nil }
            guard found.count == 1, let key = found.first else { continue }
            refuse("\(table).\(key)", "'peer' and 'key' go together; write both, or 'server'")
        }
        for table in ["serve", "forward"] { checkWatch(table) }
        checkForwards()
    }

    /// Refuses an address that others can reach without a token.
    private mutating func checkWatch(_ table: String) {
        let text = values["\(table).http"]?.texts.first
        if text == nil, values["\(table).http-token"] != nil {
            refuse("\(table).http-token", "it belongs to 'http'; write that too")
        }
        guard let text, values["\(table).http-token"] == nil,
            let address = try? WatchAddress(parsing: text), !address.isLocal
        else { return }
        refuse("\(table).http", "\(WatchError.needsToken(text))")
    }

    /// The command without any words, which takes a millisecond to make.
    private static let plainForward = try? ForwardCommand.line()

    /// Asks the command whether it would take the forwards.
    private mutating func checkForwards() {
        let keys = ["forwards", "reverse"].map { "forward.\($0)" }
        guard problems.isEmpty, let key = keys.first(where: { values[$0] != nil }),
            let plain = ConfigFile.plainForward
        else { return }
        do {
            _ = try ForwardSetup.specs(Configured(plain, file: self).command)
        } catch {
            let reason = ConfigCheck.reason(error)
            let named = keys.first { key in
                values[key]?.texts.contains { reason.contains("'\($0)'") } ?? false
            }
            refuse(named ?? key, reason)
        }
    }
}
