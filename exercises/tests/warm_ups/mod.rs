// The checks of the warm-ups, a file each.

pub mod warm_up_01;
pub mod warm_up_02;
pub mod warm_up_03;
pub mod warm_up_04;
pub mod warm_up_05;
pub mod warm_up_06;
pub mod warm_up_07;
pub mod warm_up_08;
