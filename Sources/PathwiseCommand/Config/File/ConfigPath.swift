/// A table `[[path]]` as the text of `--path`.
enum ConfigPath {
    static func text(_ values: [String: ConfigValue]) throws(SyntaxProblem) -> String {
        func text(_ key: String) -> String? { values[key]?.texts.first }
        guard let name = text("name") else {
            throw SyntaxProblem("it has no name; write name = \"dsl\"")
        }
        let place: String
        switch (text("interface"), text("address")) {
        case (let interface?, nil): place = interface
        case (nil, let address?): place = address
        default:
            throw SyntaxProblem(
                "write either interface = \"eth0\" or address = \"192.0.2.7\"")
        }
        var result = "\(name)=\(place)"
        if let remote = text("remote") { result += ">\(remote)" }
        for key in ["weight", "price", "limit", "cap", "kind"] {
            if let value = text(key) { result += ",\(key)=\(value)" }
        }
        for key in ["hard", "backup"] where text(key) == "true" { result += ",\(key)" }
        return result
    }
}
