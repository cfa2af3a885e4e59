/// Arguments as raw bytes, since file names need not be UTF-8.
enum RawArguments {
    /// The bytes of an argument that was read as text.
    ///
    /// Text that is not UTF-8 is repaired when it is parsed, so its bytes are looked up in the
    /// program's arguments.
    static func bytes(of text: String) -> [UInt8] {
        guard text.unicodeScalars.contains("\u{fffd}") else { return Array(text.utf8) }
        for index in 1..<max(1, Int(CommandLine.argc)) {
            guard let argument = CommandLine.unsafeArgv[index] else { continue }
            let value = String(cString: argument)
            var raw: [UInt8] = []
            var position = 0
            while argument[position] != 0 {
                raw.append(UInt8(bitPattern: argument[position]))
                position += 1
            }
            if value == text { return raw }
            // --option=value
            if value.hasPrefix("--"), value.hasSuffix("=" + text),
                let sign = raw.firstIndex(of: UInt8(ascii: "="))
            {
                return Array(raw[(sign + 1)...])
            }
        }
        return Array(text.utf8)
    }
}
