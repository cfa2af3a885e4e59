import PathReport

/// The texts of `pathwise config`, and the tables of docs/configuration.md.
enum ConfigText {
    // MARK: settings

    /// The settings of a command, with where each comes from.
    static func settings(_ settings: [ConfigSetting], of command: String) -> String {
        var table = TextTable([
            TextTable.Column(command, .left), TextTable.Column("value", .left),
            TextTable.Column("from", .left),
        ])
        for setting in settings {
            let values =
                setting.origin == .standard
                ? [ConfigSchema.key(setting.key)?.standard ?? "none"]
                : setting.texts.isEmpty ? ["(none)"] : setting.texts
            for (index, value) in values.enumerated() {
                table.add([
                    index == 0 ? setting.key : "", value, index == 0 ? origin(setting) : "",
                ])
            }
        }
        return table.text()
    }

    private static func origin(_ setting: ConfigSetting) -> String {
        switch setting.origin {
        case .option: "option"
        case .file(let path, let line):
            "\(path.split(separator: "/").last.map(String.init) ?? path):\(line)"
        case .standard: "default"
        }
    }

    /// The settings as JSON: `value` is null for a default, a text, or an array of texts.
    static func json(_ settings: [ConfigSetting], of command: String, file: String?) -> JSONValue {
        [
            "command": .string(command), "file": file.map { .string($0) } ?? .null,
            "settings": .array(
                settings.map { setting in
                    let key = ConfigSchema.key(setting.key)
                    let isList = key?.form == .texts || setting.key == "path"
                    let value: JSONValue =
                        isList
                        ? .array(setting.texts.map { .string($0) })
                        : setting.texts.first.map { .string($0) } ?? .null
                    var members: [(key: String, value: JSONValue)] = [
                        ("key", .string(setting.key)),
                        ("value", setting.origin == .standard ? .null : value),
                    ]
                    switch setting.origin {
                    case .option: members.append(("from", "option"))
                    case .file(_, let line):
                        members += [("from", "file"), ("line", .int(Int64(line)))]
                    case .standard:
                        members.append(("from", "default"))
                        if let key { members.append(("default", .string(key.standard))) }
                    }
                    return .object(members)
                }),
        ]
    }

    // MARK: keys

    /// An example of a file with all keys of some tables, each as a comment.
    static func example(_ tables: [String]) -> String {
        var text = ""
        for section in ConfigSchema.sections
        where section.name.isEmpty || tables.contains(section.name) {
            let summary = section.meaning.replacing("`", with: "")
            text += (text.isEmpty ? "" : "\n") + comment(summary)
            // A table of an array that is there would be one path.
            if !section.name.isEmpty {
                text += section.isRepeated ? "#\(section.header)\n" : section.header + "\n"
            }
            for key in section.keys {
                let meaning = key.meaning.replacing("`", with: "")
                text += comment("\(meaning) Default: \(key.standard).")
                text += "#\(key.name) = \(sample(key))\n"
            }
        }
        return text
    }

    private static func comment(_ text: String) -> String {
        PoliciesText.wrapped(text, after: "", column: 0).split(separator: "\n")
            .map { "# \($0)\n" }.joined()
    }

    /// A value that is allowed.
    private static func sample(_ key: ConfigKey) -> String {
        switch key.form {
        case .flag: return "true"
        case .number: return "\(key.sample)"
        case .text: return "\"\(key.sample)\""
        case .texts: return "[\"\(key.sample)\"]"
        }
    }

    /// The tables of docs/configuration.md.
    static func documentation() -> String {
        var text = ""
        for section in ConfigSchema.sections {
            let title = section.name.isEmpty ? "Before any table" : "`\(section.header)`"
            text += "\n### \(title)\n\n\(section.meaning)\n\n"
            text += "| key | form | allowed | default | option | on reload | meaning |\n"
            text += "|---|---|---|---|---|---|---|\n"
            for key in section.keys {
                let cells = [
                    "`\(key.name)`", form(key.form), key.allowed, key.standard,
                    key.option.map { "`\($0)`" } ?? "",
                    ConfigSchema.effect(of: section.fullName(key.name)).rawValue, key.meaning,
                ]
                text += "| \(cells.joined(separator: " | ")) |\n"
            }
        }
        return text
    }

    private static func form(_ form: ConfigKey.Form) -> String {
        switch form {
        case .text: "text"
        case .texts: "texts"
        case .number: "number"
        case .flag: "true or false"
        }
    }
}
