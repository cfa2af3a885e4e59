/// Colours of series; a name has the same colour in every figure of a page.
///
/// They are Paul Tol's "vibrant" scheme, which people with any colour vision can distinguish on
/// white and on black.
public struct Palette: Sendable {
    static let colours = [
        "#0077bb", "#ee7733", "#009988", "#cc3311", "#33bbee", "#ee3377", "#999933", "#888888",
    ]

    private let names: [String]

    /// - Parameter names: names in the order in which they get colours.
    public init(_ names: [String]) { self.names = names }

    /// The colour of a name; an unknown name gets a colour that depends only on the name.
    func colour(of name: String) -> String {
        let index =
            names.firstIndex(of: name)
            ?? Int(name.utf8.reduce(UInt32(2_166_136_261)) { ($0 ^ UInt32($1)) &* 16_777_619 } >> 8)
        return Palette.colours[index % Palette.colours.count]
    }
}
