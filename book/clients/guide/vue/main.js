import { createApp } from "vue";

import Users from "./Users.vue";

createApp(Users).mount("#app");
