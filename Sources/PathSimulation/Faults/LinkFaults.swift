/// Every fault that a link can have, one per line, in the order in which they act on packets.
typealias LinkFaults = Outages
    .Then<BurstLoss>
    .Then<FadingLoss>
    .Then<RandomLoss>
    .Then<TimedDelay>
    .Then<DelayJitter>
    .Then<Duplication>
    .Then<Corruption>
