/// One thing that goes wrong on a link: what it is called in options and help, what it takes, and
/// what it does to packets.
///
/// A fault is its file and a line in `LinkFaults`; option strings, scenario files, `pathwise emulate`
/// and its help, `Link`, `World` and the emulator find it there. It says of a packet only what it
/// has to say: everything but `init` and `options` has a default that leaves packets alone. Times
/// are nanoseconds after the link's origin.
///
/// What it draws must not move the draws of others: loss and delay share the stream that they are
/// given, as the testbed's emulator has it, and any other fault branches a stream of its own off in
/// `start`. A fault that is off draws nothing.
protocol LinkFault: Sendable, Hashable {
    /// The fault when it is off.
    init()

    /// What sets it, at least one.
    static var options: [FaultOption<Self>] { get }

    /// Called once before the first packet, with the stream of the link's direction.
    mutating func start(_ random: LinkRandom)

    /// True when nothing enters or leaves the bottleneck at that time.
    func isDown(at time: Int64) -> Bool

    /// True when the next packet is lost behind the bottleneck.
    mutating func loses(_ random: inout LinkRandom) -> Bool

    /// The delay of the next packet, milliseconds, given what it is without this fault.
    mutating func delay(_ milliseconds: Double, _ random: inout LinkRandom) -> Double

    /// True when packets may overtake each other.
    var reorders: Bool { get }

    /// True when the next packet arrives twice.
    mutating func copies(_ random: inout LinkRandom) -> Bool

    /// True when the next delivery arrives damaged.
    mutating func damages() -> Bool

    /// How a delivery is damaged, by its number; nil for a fault that damages none.
    func damage(of delivery: UInt64) -> Damage?

    /// The fault of a type, itself or one of those it is made of; off when it is not among them.
    subscript<Fault: LinkFault>(_ type: Fault.Type) -> Fault { get set }
    /// True when the subscript has that type.
    static func holds<Fault: LinkFault>(_ type: Fault.Type) -> Bool
}

extension LinkFault {
    mutating func start(_ random: LinkRandom) {}
    func isDown(at time: Int64) -> Bool { false }
    mutating func loses(_ random: inout LinkRandom) -> Bool { false }
    mutating func delay(_ milliseconds: Double, _ random: inout LinkRandom) -> Double {
        milliseconds
    }
    var reorders: Bool { false }
    mutating func copies(_ random: inout LinkRandom) -> Bool { false }
    mutating func damages() -> Bool { false }
    func damage(of delivery: UInt64) -> Damage? { nil }

    subscript<Fault: LinkFault>(_ type: Fault.Type) -> Fault {
        get { self as? Fault ?? Fault() }
        set { if let fault = newValue as? Self { self = fault } }
    }
    static func holds<Fault: LinkFault>(_ type: Fault.Type) -> Bool { type == Self.self }

    /// This fault and a further one, which packets meet after it.
    typealias Then<Next: LinkFault> = FaultPair<Self, Next>
}

/// One `KEY=VALUE` that sets a fault.
struct FaultOption<Fault>: Sendable {
    /// How it is written, as `loss=P`; the key is what stands before the `=`.
    let form: String
    /// What it does, in one line.
    let help: String
    /// Reads the value into the fault.
    let set: @Sendable (inout Fault, OptionText) throws(SimulationError) -> Void

    init(
        _ form: String, _ help: String,
        set: @escaping @Sendable (inout Fault, OptionText) throws(SimulationError) -> Void
    ) {
        self.form = form
        self.help = help
        self.set = set
    }

    typealias Setter = (inout Fault) throws(SimulationError) -> Void

    /// The same option of what holds the fault.
    ///
    /// - Parameter part: calls what it is given with the fault in its place.
    func lifted<Whole>(
        _ part: @escaping @Sendable (inout Whole, Setter) throws(SimulationError) -> Void
    ) -> FaultOption<Whole> {
        let set = set
        return FaultOption<Whole>(form, help) { (whole, text) throws(SimulationError) in
            try part(&whole) { (fault) throws(SimulationError) in try set(&fault, text) }
        }
    }
}

/// Two faults in the order in which packets meet them: values side by side, so that a link's whole
/// list of faults is one type without an array, an existential or a call that cannot be inlined.
struct FaultPair<First: LinkFault, Next: LinkFault>: LinkFault {
    private var first = First()
    private var next = Next()

    init() {}

    static var options: [FaultOption<FaultPair>] {
        First.options.map { option in
            option.lifted { (pair, set) throws(SimulationError) in try set(&pair.first) }
        }
            + Next.options.map { option in
                option.lifted { (pair, set) throws(SimulationError) in try set(&pair.next) }
            }
    }

    mutating func start(_ random: LinkRandom) {
        first.start(random)
        next.start(random)
    }

    func isDown(at time: Int64) -> Bool { first.isDown(at: time) || next.isDown(at: time) }

    /// Each one takes its step, whatever the others say: what is drawn does not depend on them.
    mutating func loses(_ random: inout LinkRandom) -> Bool {
        let isLost = first.loses(&random)
        return next.loses(&random) || isLost
    }

    mutating func delay(_ milliseconds: Double, _ random: inout LinkRandom) -> Double {
        let before = first.delay(milliseconds, &random)
        return next.delay(before, &random)
    }

    var reorders: Bool { first.reorders || next.reorders }

    mutating func copies(_ random: inout LinkRandom) -> Bool {
        let isCopied = first.copies(&random)
        return next.copies(&random) || isCopied
    }

    mutating func damages() -> Bool {
        let isDamaged = first.damages()
        return next.damages() || isDamaged
    }

    func damage(of delivery: UInt64) -> Damage? {
        first.damage(of: delivery) ?? next.damage(of: delivery)
    }

    subscript<Fault: LinkFault>(_ type: Fault.Type) -> Fault {
        get { First.holds(type) ? first[type] : next[type] }
        set {
            if First.holds(type) { first[type] = newValue } else { next[type] = newValue }
        }
    }

    static func holds<Fault: LinkFault>(_ type: Fault.Type) -> Bool {
        First.holds(type) || Next.holds(type)
    }
}
