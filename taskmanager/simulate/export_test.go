package simulate

// DistributionOf lets tests compare reports.
type DistributionOf = distribution
